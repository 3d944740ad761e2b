package charts

import (
	"errors"
	"flag"
	"io"
	"os"
)

// Files are those that a command writes its result to. Without a name, one is not written.
type Files struct{ Report, Plot string }

// Flags adds the files' flags.
func (f *Files) Flags(flags *flag.FlagSet) {
	flags.StringVar(&f.Report, "report", "", "a file for the report, in JSON")
	flags.StringVar(&f.Plot, "plot", "", "a file for the chart, in SVG")
}

// Check returns an error if one of the files can't be written. It makes those that are not
// there.
func (f Files) Check() error { return errors.Join(canWrite(f.Report), canWrite(f.Plot)) }

// Result is what a command has measured.
type Result interface {
	WriteJSON(io.Writer) error
	Chart() Chart
}

// Write writes the files anew.
func (f Files) Write(r Result) error {
	return errors.Join(writeFile(f.Report, r.WriteJSON), writeFile(f.Plot, func(w io.Writer) error {
		_, err := r.Chart().WriteTo(w)
		return err
	}))
}

func canWrite(name string) error {
	if name == "" {
		return nil
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

func writeFile(name string, content func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(content(file), file.Close())
}
