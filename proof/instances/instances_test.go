package instances_test

import (
	"slices"
	"testing"

	"example.com/eventdriver/proof/instances"
)

func TestPortsAreGivenOnce(t *testing.T) {
	given := make(map[string]bool)
	for range 1000 {
		port, err := instances.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if given[port] {
			t.Fatalf("%s was given twice", port)
		}
		given[port] = true
	}
}

func TestLines(t *testing.T) {
	var got []string
	w := instances.Lines(func(line []byte) { got = append(got, string(line)) })
	for _, text := range []string{"one\ntw", "", "o", "\n\nfour\n", "not ended"} {
		if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("Write(%q): %d, %v", text, n, err)
		}
	}
	if want := []string{"one", "two", "", "four"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
