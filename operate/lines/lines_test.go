package lines_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/lines"
)

// at has the time of each line replaced, which a logger takes from the clock.
func at(line string) string { return "12:03:04" + line[len("12:03:04"):] }

// TestFunctionsOwnRecords formats what the function's logger writes.
func TestFunctionsOwnRecords(t *testing.T) {
	for _, c := range []struct {
		want string
		log  func(l *slog.Logger)
	}{
		{"12:03:04 order-1 event2 kept, waiting for event1, event3", func(l *slog.Logger) {
			l.Info("event stored, waiting for others", "event", "e1", "type", "t", "key", "order-1", "source", "event2",
				"waitsFor", "event1, event3")
		}},
		{"12:03:04 order-1 event2 processed", func(l *slog.Logger) {
			l.Info("event processed", "event", "e1", "key", "order-1", "source", "event2")
		}},
		{`12:03:04 ERROR order-1 event2 dead-lettered as conflict: a; b`, func(l *slog.Logger) {
			l.Error("event dead-lettered", "event", "e1", "key", "order-1", "source", "event2", "handler", "joiner",
				"reason", "conflict", "error", errors.Join(errors.New("a"), errors.New("b")))
		}},
		{"12:03:04 ERROR dead-lettered as undecodable: no CloudEvent event=e1", func(l *slog.Logger) {
			l.Error("event dead-lettered", "event", "e1", "reason", "undecodable", "error", "no CloudEvent")
		}},
		{`12:03:04 order-1 order processed token=4 name="two words"`, func(l *slog.Logger) {
			l.Info("order processed", "key", "order-1", "token", 4, "name", "two words")
		}},
		{"12:03:04 sweep report={seen=7 expired=1 finished=true}", func(l *slog.Logger) {
			l.Info("sweep", "report", struct {
				Seen     int  `json:"seen"`
				Expired  int  `json:"expired"`
				Finished bool `json:"finished"`
			}{7, 1, true})
		}},
		{`12:03:04 [2] "a\x1b[31m" event1 processed`, func(l *slog.Logger) {
			l.With("instance", 2).Info("event processed", "key", "a\x1b[31m", "source", "event1")
		}},
		{"12:03:04 WARNING order-1 event1 failed, to be redelivered: panic: no\n" +
			"         example.com/shop.process /src/shop.go:12\n" +
			"         main.main /src/main.go:3", func(l *slog.Logger) {
			l.Warn("event failed, to be redelivered", "key", "order-1", "source", "event1", "error", "panic: no", "stack",
				"goroutine 1 [running]:\nruntime/debug.Stack()\n\t/go/stack.go:26 +0x5e\npanic({0x1, 0x2})\n\t/go/panic.go:7 +0x1\n"+
					"example.com/shop.process(0x1)\n\t/src/shop.go:12 +0x2\nmain.main()\n\t/src/main.go:3 +0x3\n")
		}},
	} {
		var log bytes.Buffer
		c.log(eventdriver.NewLogger(&log, slog.LevelDebug))
		line, ok := lines.Format(log.Bytes(), false)
		if !ok || at(line) != c.want {
			t.Errorf("%s\nbecame\n%s\nwant\n%s", log.String(), line, c.want)
		}
	}
}

// TestPanicShowsTheHandler: of a real pipeline's panic the lines show the handler's calls, and count the others.
func TestPanicShowsTheHandler(t *testing.T) {
	broken := driver.Named("business", driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { panic("no") }))
	err := driver.New(broken).Process(t.Context(), driver.Message{ID: "1", Key: "k", Source: "s"})
	p, ok := errors.AsType[*driver.PanicError](err)
	if !ok {
		t.Fatalf("%v, want a panic", err)
	}
	var log bytes.Buffer
	eventdriver.NewLogger(&log, slog.LevelDebug).Warn("event failed, to be redelivered", "stack", string(p.Stack))
	line, _ := lines.Format(log.Bytes(), false)
	if calls := strings.Split(line, "\n")[1:]; len(calls) > 4 || !strings.Contains(calls[0], "lines_test.go") ||
		!regexp.MustCompile(`^ +… \d+ calls of the pipeline$`).MatchString(calls[len(calls)-1]) {
		t.Errorf("the lines are\n%s", line)
	}
}

// TestEntriesOfCloudLogging formats what its API returns.
func TestEntriesOfCloudLogging(t *testing.T) {
	time.Local = time.UTC
	for entry, want := range map[string]string{
		`{"insertId":"1","timestamp":"2026-01-31T12:03:04.5Z","severity":"WARNING","logName":"projects/p/logs/run.googleapis.com%2Fstderr",
		  "jsonPayload":{"message":"event held, to be redelivered","key":"k","source":"event1","event":"e"}}`: "12:03:04 WARNING k event1 held, to be redelivered",
		`{"timestamp":"2026-01-31T12:03:04Z","logName":"l","textPayload":"fatal error: x\n\ngoroutine 1:\n\tf.go:1"}`: "12:03:04 fatal error: x\n" +
			"         goroutine 1:\n             f.go:1",
		`{"timestamp":"2026-01-31T12:03:04Z","logName":"l","severity":"NOTICE","jsonPayload":
		  {"message":"audit","action":"release","by":"me","account":"me@example.com","why":"it did not act","key":"k","force":false}}`: "12:03:04 " +
			"k release by me@example.com (it did not act) force=false",
		`{"timestamp":"2026-01-31T12:03:04Z","logName":"l"}`: "12:03:04",
		`{}`: "--:--:--",
	} {
		if line, ok := lines.Format([]byte(entry), false); !ok || line != want {
			t.Errorf("%s\nbecame\n%s\nwant\n%s", entry, line, want)
		}
	}
}

func TestColour(t *testing.T) {
	for severity, begin := range map[string]string{"INFO": "-", "WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "DEBUG": "\x1b[2m"} {
		line, _ := lines.Format([]byte(`{"severity":"`+severity+`","message":"m"}`), true)
		if !strings.HasPrefix(line, begin) || (begin != "-") != strings.HasSuffix(line, "\x1b[0m") {
			t.Errorf("%s: %q", severity, line)
		}
	}
}

func TestOtherTexts(t *testing.T) {
	for _, text := range []string{"", "panic: x", `"text"`, "{", `{"a":`, "[1]"} {
		if line, ok := lines.Format([]byte(text), false); ok {
			t.Errorf("%q became %q", text, line)
		}
	}
}

// TestNamesThatLookAlike: each is seen for what it is, and can't change what is seen of the line.
func TestNamesThatLookAlike(t *testing.T) {
	for name, want := range map[string]string{
		"order-1": "order-1", "Bestellung Ä": "Bestellung Ä", "注文": "注文", "-x": "-x", "a%20b": "a%20b", "": "",
		"order-1 ": `"order-1 "`, " order-1": `" order-1"`, "order-1\u200b": `"order-1\u200b"`, "a\u00a0b": `"a\u00a0b"`,
		"a\u202eb": `"a\u202eb"`, "a\nb": `"a\nb"`, `"a\nb"`: `"\"a\\nb\""`, "a\xff": `"a\xff"`, "\x1b[31m": `"\x1b[31m"`,
	} {
		if got := lines.Name(name); got != want {
			t.Errorf("%q is written as %s, want %s", name, got, want)
		}
	}
}
