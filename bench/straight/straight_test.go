package straight_test

import (
	"context"
	"fmt"
	"testing"

	"example.com/eventdriver/bench/straight"
)

// What is compared with must do the same work: it joins each key once.
func TestJoinsEachKeyOnce(t *testing.T) {
	var acted []string
	j := straight.Joiner{Store: &straight.Memory{}, Sources: 2, Act: func(joined []byte) error {
		acted = append(acted, string(joined))
		return nil
	}}
	for range 2 {
		for _, source := range []string{"a", "b"} {
			if err := j.Handle(context.Background(), "k", source, []byte(`1`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := fmt.Sprint(acted); got != `[{"a":1,"b":1}]` {
		t.Errorf("acted on %s", got)
	}
}
