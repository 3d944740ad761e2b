package main

import (
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
)

func TestOrdersShipByTheCondition(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	var shipped []string
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "ship ") {
			shipped = append(shipped, line)
		}
	}
	want := []string{
		"ship order-1: a book, paid by card …4242\n",
		"ship order-3: a chair, with an invoice to Ann\n",
	}
	if !slices.Equal(shipped, want) {
		t.Errorf("shipped\n%q\nwant\n%q", shipped, want)
	}
}

// Content that is not an Order can never be shipped: it is dead-lettered, not delivered again.
func TestContentOfAnotherType(t *testing.T) {
	p := pipeline(new(strings.Builder))
	if err := p.Process(t.Context(), event("order-4", "card", `{}`)); err != nil {
		t.Fatal(err)
	}
	err := p.Process(t.Context(), event("order-4", "order", `{"item":3}`))
	if !driver.IsPermanent(err) || !strings.Contains(err.Error(), "order-4") {
		t.Errorf("got %v, want a permanent error that names the order", err)
	}
}
