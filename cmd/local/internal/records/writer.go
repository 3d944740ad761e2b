package records

import (
	"bytes"
	"io"
	"sync"
)

// longestLine is the most bytes of a line. One that is longer is several.
const longestLine = 1 << 20

// Writer returns where an instance writes its log, line by line.
func (j *Journal) Writer(instance string) io.Writer {
	return &writer{line: func(line []byte) { j.add(Parse(instance, line), bytes.Clone(line)) }}
}

type writer struct {
	line func([]byte)

	mu   sync.Mutex
	rest []byte // a line that has not ended
}

// Write implements [io.Writer].
func (w *writer) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, text...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found && len(w.rest) < longestLine {
			return len(text), nil
		}
		if len(bytes.TrimSpace(line)) > 0 {
			w.line(line)
		}
		w.rest = rest
	}
}
