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
		{[]string{"-orders", "0"}, "-orders must be"},
		{[]string{"-orders", "many"}, "invalid value"},
		{[]string{"-orders", "10", "-rounds", "11"}, "-rounds must be"},
		{[]string{"-kill-every", "1ms", "-instances", "-1"}, "-instances must be"},
		{[]string{"-kill-every", "1ms", "-instances", "-1"}, "-kill-every must be"},
		{[]string{"-seed", "-1"}, "invalid value"},
		{[]string{"-plot", "no/such/folder/plot.svg"}, "no/such/folder/plot.svg"},
	} {
		if _, err := parse(c.args); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v; want an error that says %s", c.args, err, c.says)
		}
	}
}

func TestRoundsDivideTheOrders(t *testing.T) {
	c, err := parse([]string{"-orders", "10", "-rounds", "3", "-kill-every", "0"})
	if err != nil || c.PerRound != 4 || c.KillEvery != 0 || c.Seed == 0 {
		t.Errorf("%+v, %v; want 4 orders a round, no kills, and a seed", c, err)
	}
}
