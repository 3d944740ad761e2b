package lines

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// hidden are the attributes that a line does not repeat, or that only machines read.
var hidden = map[string]bool{"time": true, "severity": true, "message": true, "key": true, "source": true, "instance": true,
	"stack": true, "error": true, "reason": true, "handler": true, "type": true, "scope": true, "waitsFor": true,
	"logging.googleapis.com/trace": true, "logging.googleapis.com/spanId": true,
	"logging.googleapis.com/trace_sampled": true}

// hiddenOfAudit are those of the record of a change.
var hiddenOfAudit = map[string]bool{"action": true, "by": true, "why": true, "account": true}

// record says what the attributes mean.
func (f fields) record() record {
	what, more, _ := strings.Cut(f.what(), "\n") // more: of a crash that Go's runtime reports
	r := record{severity: f.text("severity"), instance: f.text("instance"), key: f.text("key"), source: f.text("source"),
		what: what, more: append(strings.FieldsFunc(more, isBreak), frames(f.text("stack"))...)}
	if at, err := time.Parse(time.RFC3339Nano, f.text("time")); err == nil {
		r.at = at
	}
	isAudit := f.text("message") == "audit"
	for _, one := range f {
		repeats := hidden[one.name] || one.name == "event" && r.key != "" || isAudit && hiddenOfAudit[one.name]
		if !repeats {
			r.rest = append(r.rest, one.name+"="+quoted(textOf(one.value)))
		}
	}
	return r
}

// what says what happened, in the fewest words.
func (f fields) what() string {
	message := f.text("message")
	switch message {
	case "event stored, waiting for others":
		return "kept, waiting for " + cmp.Or(f.text("waitsFor"), "others")
	case "event processed":
		return "processed"
	case "event dead-lettered":
		message = "dead-lettered as " + cmp.Or(f.text("reason"), "unknown")
	case "event failed, to be redelivered":
		message = "failed, to be redelivered"
	case "event held, to be redelivered":
		message = "held, to be redelivered" // the error says by what
	case "audit":
		message = f.text("action") + " by " + cmp.Or(f.text("account"), f.text("by"))
		if why := f.text("why"); why != "" {
			message += " (" + why + ")"
		}
	}
	if failure := f.text("error"); failure != "" {
		message += ": " + strings.ReplaceAll(failure, "\n", "; ")
	}
	return message
}

func isBreak(r rune) bool { return r == '\n' }

// frames returns the calls of a stack, the one that panicked first, as FUNCTION FILE:LINE. Those of the pipeline that
// called the handler, which are the same for each panic, are only counted.
func frames(stack string) (calls []string) {
	all := strings.Split(strings.TrimSpace(stack), "\n")
	for i := 0; i+1 < len(all); i++ {
		at, isPlace := strings.CutPrefix(all[i+1], "\t")
		if !isPlace {
			continue
		}
		at, _, _ = strings.Cut(at, " +0x")
		name := all[i]
		if end := strings.LastIndexByte(name, '('); end > 0 && !strings.HasPrefix(name, "created by ") {
			name = name[:end]
		}
		if calls = append(calls, name+" "+at); name == "panic" {
			calls = nil // those before belong to the recovery
		}
		i++
	}
	isStep := func(call string) bool { return strings.Contains(call, "/driver.(*step).call") }
	if end := slices.IndexFunc(calls, isStep); end >= 0 {
		calls = append(calls[:end:end], fmt.Sprintf("… %d calls of the pipeline", len(calls)-end))
	}
	return calls
}
