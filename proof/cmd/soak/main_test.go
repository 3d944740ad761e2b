package main

import (
	"strings"
	"testing"
)

func TestMistakesAreNamed(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"now"}, `unexpected argument "now"`},
		{[]string{"-for", "1s"}, "-for must be"},
		{[]string{"-rate", "fast"}, "invalid value"},
		{[]string{"-store", "redis", "-rate", "0"}, "-store must be"},
		{[]string{"-store", "redis", "-rate", "0"}, "-rate must be"},
		{[]string{"-plot", "no/such/folder/plot.svg"}, "no/such/folder/plot.svg"},
	} {
		if _, err := parse(c.args); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v; want an error that says %s", c.args, err, c.says)
		}
	}
}
