package main

import (
	"strings"
	"testing"
)

func TestTutorial(t *testing.T) {
	store, err := open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), &out, store, "order-1"); err != nil {
		t.Fatal(err)
	}
	const want = `act for order-1 on {"from":"event2"} and {"from":"event3"}`
	if got := out.String(); strings.Count(got, want) != 1 || strings.Count(got, "act for") != 1 {
		t.Errorf("got\n%swant one line\n%s", got, want)
	}
}
