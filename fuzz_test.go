package eventdriver

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Whatever the variables are, each line of the error names one of them, and what
// is accepted works. The input is a line NAME=value for each variable.
func FuzzConfigFromEnv(f *testing.F) {
	f.Add("EVENT_SOURCES=event1,event2\nERASE_SOURCES=event1\nSOURCE_ALIASES=event1:a,event2:urn:x\nKEY_POINTER=event1:/id\nCONTENT=event2:text\nLEASE=10s\nCONFLICT_POLICY=last")
	f.Add("EVENT_SOURCES=\nSOURCE_ALIASES=:\nKEY_POINTER=~\nLEASE=x\nBODY_LIMIT=-1\nLOG_LEVEL=x\nDEAD_LETTERS=x")
	f.Add("GCS_BUCKET=b\nGCS_FOLDER=../x\nCLAIM_STORE=memory\nMAX_EVENT_AGE=20h\nDEAD_LETTER_TOPIC=projects/p/topics/abc\nSTORE_TIMEOUT=1ns")
	f.Add("EVENT_STORE=bigquery\nBIGQUERY_PROJECT=p\nBIGQUERY_DATASET=d\nBIGQUERY_LOCATION=EU\nBIGQUERY_RETENTION=1h\nOUTPUT_TOPIC=x\nON_LEASE_EXPIRY=quarantine")
	f.Add("K_SERVICE=a/b\nGCS_BUCKET=gs://b\nEVENT_SOURCES=\xff,a\x00b\nLEASE=2562047h47m16.854775807s\nBODY_LIMIT=99999999999999999999")
	f.Fuzz(func(t *testing.T, lines string) {
		set := map[string]string{}
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(line, "=")
			set[name] = value
		}
		c, err := configFrom(set)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				name, rest, _ := strings.Cut(line, " ")
				if !slices.Contains(knownVariables(), name) || rest == "" {
					t.Errorf("%q names no variable, in the error of %q", line, lines)
				}
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted, then refused: %v", err)
		}
		if c.EventStore == StoreMemory && c.ClaimStore == StoreMemory {
			c.OutputTopic, c.DeadLetterTopic = "", "" // these need credentials
			function := newFunction(c, count(), nil)
			if _, err := function.open(t.Context()); err != nil {
				t.Fatalf("accepted, but can't be opened: %v", err)
			}
		}
	})
}

// A trace and its span are hex of the right length, whatever the headers are.
func FuzzTrace(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "")
	f.Add("", "0af7651916cd43dd8448eb211c80319c/1;o=1")
	f.Add("00-x-y-01", "\xff")
	f.Fuzz(func(t *testing.T, traceparent, cloud string) {
		h := http.Header{"Traceparent": {traceparent}, "X-Cloud-Trace-Context": {cloud}}
		id, span, _ := traceOf(h)
		if id != "" && !isHex(id, 32) || span != "" && (!isHex(span, 16) || id == "") {
			t.Errorf("trace %q, span %q", id, span)
		}
		if id != "" && !strings.Contains(traceparent+cloud, id) {
			t.Errorf("trace %q is none of %q, %q", id, traceparent, cloud)
		}
	})
}
