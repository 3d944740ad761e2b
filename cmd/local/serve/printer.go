package serve

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/operate/lines"
)

// printer writes records for people, or in JSON as the function writes its log.
type printer struct {
	to           *os.File
	json, colour bool
	level        atomic.Int64 // a [slog.Level]

	mu sync.Mutex // a line is written
}

// newPrinter returns a printer to a file. It uses colour on a terminal, unless NO_COLOR is set
// (https://no-color.org).
func newPrinter(to *os.File, json bool) *printer {
	p := &printer{to: to, json: json}
	info, err := to.Stat()
	p.colour = err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return p
}

// setLevel leaves out records below a level.
func (p *printer) setLevel(level slog.Level) { p.level.Store(int64(level)) }

// print prints a record, whose line in JSON this is.
func (p *printer) print(r records.Record, line []byte) {
	if int64(levelOf(r)) < p.level.Load() {
		return
	}
	text := string(line)
	if !p.json {
		if forPeople, ok := lines.Format(line, p.colour); ok {
			text = forPeople
		}
	}
	p.say(text)
}

// say prints a text.
func (p *printer) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.to, text)
}

// levelOf returns a record's level. What is no record of a log is always printed, such as the
// stack of a process that crashes.
func levelOf(r records.Record) slog.Level {
	switch r.Severity {
	case "DEBUG":
		return slog.LevelDebug
	case "INFO":
		return slog.LevelInfo
	case "WARNING":
		return slog.LevelWarn
	}
	return slog.LevelError
}
