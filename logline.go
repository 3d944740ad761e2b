package eventdriver

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"
)

// plainLines is the handler of records that most events have: texts and numbers, without groups and with
// nothing to escape. It writes what the handler inside of it would, which gets all others, at a third of the time.
// A file takes each line as a whole, whoever writes.
type plainLines struct {
	slog.Handler
	file *os.File
}

var lineBuffers = sync.Pool{New: func() any { return new([]byte) }}

// longestBuffer is how long a buffer may be that is used again.
const longestBuffer = 16 << 10

func (l plainLines) Handle(ctx context.Context, r slog.Record) error {
	buffer, _ := lineBuffers.Get().(*[]byte)
	line, plain := appendLine((*buffer)[:0], r)
	if cap(line) <= longestBuffer {
		*buffer = line
	}
	defer lineBuffers.Put(buffer)
	if !plain {
		return l.Handler.Handle(ctx, r)
	}
	_, err := l.file.Write(line)
	return err
}

// appendLine appends the line of a record; false: it is not plain.
func appendLine(b []byte, r slog.Record) ([]byte, bool) {
	if r.Time.IsZero() || !isPlain(r.Message) {
		return b, false
	}
	b = append(b, `{"time":"`...)
	b = r.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(append(b, `","severity":"`...), severity(r.Level)...)
	b = append(append(b, `","message":"`...), r.Message...)
	b = append(b, '"')
	plain := true
	r.Attrs(func(a slog.Attr) bool {
		b, plain = appendAttr(b, a)
		return plain
	})
	return append(b, "}\n"...), plain
}

func appendAttr(b []byte, a slog.Attr) (_ []byte, plain bool) {
	if !isPlain(a.Key) || a.Key == "" || a.Key == slog.MessageKey || a.Key == slog.LevelKey {
		return b, false
	}
	b = append(append(append(b, `,"`...), a.Key...), `":`...)
	switch a.Value.Kind() {
	case slog.KindString:
		text := a.Value.String()
		return append(append(append(b, '"'), text...), '"'), isPlain(text)
	case slog.KindInt64:
		return strconv.AppendInt(b, a.Value.Int64(), 10), true
	case slog.KindBool:
		return strconv.AppendBool(b, a.Value.Bool()), true
	}
	return b, false
}

// isPlain says whether JSON writes a text as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
