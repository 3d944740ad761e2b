package main

import (
	"strings"
	"testing"
	"time"
)

// results are lines as go test -json prints them.
const results = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: noise\n"}
{"Action":"pass","Package":"m/p","Test":"TestA","Elapsed":12.3}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: left to make prove: takes minutes\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:7: shellcheck is not installed\n"}
{"Action":"skip","Package":"p","Test":"TestC"}
{"Action":"output","Package":"p","Test":"TestD","Output":"    d_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestD"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
something that is no JSON
`

func TestSummary(t *testing.T) {
	var out strings.Builder
	s := newSummary()
	if err := s.read(strings.NewReader(results), &out); err != nil {
		t.Fatal(err)
	}
	s.report(&out, 90*time.Second)
	const want = `    d_test.go:9: got 1, want 2
FAIL	p	0.1s
something that is no JSON

1 tests passed, 1 failed, in 1m30s
slowest: TestA in p 12s
left to make prove, beside the explorer's larger bound, chaos, soak, fuzzing and the race detector:
  TestB: takes minutes
skipped here:
  TestC: shellcheck is not installed
`
	if out.String() != want {
		t.Errorf("it printed\n%s\nwant\n%s", out.String(), want)
	}
}
