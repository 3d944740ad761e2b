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
		{nil, "make smoke PROJECT=my-project-123"},
		{[]string{"-project", "p", "now"}, `unexpected argument "now"`},
		{[]string{"-project", "p", "-example", "existing-topics"}, "orders, bigquery"},
		{[]string{"-project", "p", "-within", "-1s"}, "must not be negative"},
	} {
		if _, err := parse(c.args); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v; want an error that says %s", c.args, err, c.says)
		}
	}
	if o, err := parse([]string{"-project", "p", "-keep", "-region", "us-east1"}); err != nil || !o.Keep || o.Region != "us-east1" || o.Example != "orders" {
		t.Errorf("%+v, %v", o, err)
	}
}
