package dashboard

import (
	"bytes"
	"os"
	"path/filepath"
)

// The files, in the module.
const (
	Template = "terraform/dashboard.json"
	Recorded = "proof/dashboard/recording.json"
	Drawn    = "docs/how-to/dashboard.svg"
)

// Open reads the dashboard of the module in a folder, and the recording.
func Open(module string) (b Board, r *Recording, err error) {
	template, err := os.ReadFile(filepath.Join(module, Template))
	if err != nil {
		return b, nil, err
	}
	if b, err = ParseBoard(template); err != nil {
		return b, nil, err
	}
	recorded, err := os.ReadFile(filepath.Join(module, Recorded))
	if err != nil {
		return b, nil, err
	}
	r, err = Read(bytes.NewReader(recorded))
	return b, r, err
}
