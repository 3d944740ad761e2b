package joiner_test

import (
	"strings"
	"testing"

	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// own is a user's condition.
type own func([]string) bool

func (o own) Evaluate(sources []string) bool { return o(sources) }

func TestConditions(t *testing.T) {
	atLeastOne := own(func(s []string) bool { return len(s) > 0 })
	for _, c := range []struct {
		name      string
		condition joiner.Condition
		holds     string // sets of sources, a letter each, for which it holds
		fails     string
	}{
		{"MatchAll", joiner.MatchAll("a", "b"), "ab abc", "- a b c ac"},
		{"MatchAll of one twice", joiner.MatchAll("a", "a"), "a ab", "- b"},
		{"MatchAny", joiner.MatchAny("a", "b"), "a b ab ac", "- c"},
		{"none of two, with another", joiner.MatchNone("a", "b").And(joiner.MatchAny("c")), "c", "- a b ab ac"},
		{"nothing more is needed", joiner.MatchAll().And(joiner.AtLeast(0, "b"), joiner.MatchAll().And(), joiner.MatchAll("a")), "a ab", "- b"},
		{"AtLeast", joiner.AtLeast(2, "a", "b", "c"), "ab bc abc abd", "- a b ad"},
		{"And", joiner.MatchAny("a", "b").And(joiner.MatchNone("c")), "a b ab", "- c ac"},
		{"And of three", joiner.MatchAny("a", "b").And(joiner.MatchNone("c"), joiner.MatchAll("b")), "b ab", "- a ac bc"},
		{"Or", joiner.MatchAll("a", "b").Or(joiner.MatchAll("c")), "ab c ac", "- a b"},
		{"Or of three", joiner.MatchAll("a").Or(joiner.MatchAll("b"), joiner.MatchAll("c")), "a b c", "- d"},
		{"XOr", joiner.MatchAll("a").XOr(joiner.MatchAll("b")), "a b ac", "- ab"},
		{"Not", joiner.MatchAll("a", "b").Not().And(joiner.MatchAny("a", "b")), "a b", "- ab"},
		{"Not of one", joiner.MatchAll("a").Not().And(joiner.MatchAll("b")), "b", "- a ab"},
		{"a user's own, combined", joiner.MatchNone("c").And(atLeastOne), "a b z", "- c ac"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, set := range strings.Fields(c.holds) {
				if !c.condition.Evaluate(letters(set)) {
					t.Errorf("does not hold for %s", set)
				}
			}
			for _, set := range strings.Fields(c.fails) {
				if c.condition.Evaluate(letters(set)) {
					t.Errorf("holds for %s", set)
				}
			}
			if err := joiner.Check(c.condition); err != nil {
				t.Errorf("refused, though it can hold: %v", err)
			}
		})
	}
}

func letters(set string) []string {
	if set == "-" {
		return nil
	}
	return strings.Split(set, "")
}

func TestConditionsThatNeverHoldOrHoldForNothingAreRefused(t *testing.T) {
	a, b := joiner.MatchAll("a"), joiner.MatchAll("b")
	for name, c := range map[string]joiner.Condition{
		"any of none":                  joiner.MatchAny(),
		"all of none":                  joiner.MatchAll(),
		"and of nothing":               joiner.MatchAll().And(),
		"at least none":                joiner.AtLeast(0, "a"),
		"at least less than none":      joiner.AtLeast(-1, "a"),
		"none":                         joiner.MatchNone("a"),
		"none of none":                 joiner.MatchNone(),
		"not":                          a.Not(),
		"not, and not":                 a.Not().And(b.Not()),
		"a or nothing":                 a.Or(joiner.MatchAll()),
		"a xor nothing":                a.XOr(joiner.AtLeast(0, "b")),
		"nothing, twice negated":       joiner.MatchAll().Not().Not(),
		"an own one of nothing":        own(func([]string) bool { return true }),
		"an own one, negated":          a.And(own(func(s []string) bool { return len(s) > 0 })).Not(),
		"more than there are":          joiner.AtLeast(3, "a", "b"),
		"three of one repeated":        joiner.AtLeast(2, "a", "a"),
		"a and not a":                  a.And(a.Not()),
		"a and none of a":              a.And(b, joiner.MatchNone("a")),
		"a xor a":                      a.XOr(a),
		"or of two impossible":         joiner.MatchAny().Or(a.And(a.Not())),
		"or of the impossible":         joiner.MatchAny().Or(),
		"an empty source":              joiner.MatchAll("a", ""),
		"nil":                          nil,
		"a nil expression":             (*joiner.Expression)(nil),
		"a and nil":                    a.And(nil),
		"a or nil, negated":            a.Or(nil).Not(),
		"a xor nil":                    a.XOr(nil),
		"a and a nil expression, or b": b.Or(a.And((*joiner.Expression)(nil))),
		"deep":                         a.Or(a.Not()).Not(),
	} {
		t.Run(name, func(t *testing.T) {
			if err := joiner.Check(c); err == nil {
				t.Error("accepted")
			}
			defer func() {
				if _, isError := recover().(error); !isError {
					t.Error("New did not panic with an error")
				}
			}()
			joiner.New(c, memstore.New())
		})
	}
}

// A condition does not change when the list that it was made of does.
func TestConditionsDoNotShareTheirParts(t *testing.T) {
	for name, combine := range map[string]func(...joiner.Condition) *joiner.Expression{
		"And": joiner.MatchAll("a").And, "Or": joiner.MatchAll("z").Or} {
		parts := []joiner.Condition{joiner.MatchAll("a"), joiner.MatchAll("a")}
		c := combine(parts...)
		parts[0], parts[1] = joiner.MatchAll("b"), joiner.MatchAll("b")
		if !c.Evaluate([]string{"a"}) || c.Evaluate([]string{"b"}) {
			t.Errorf("%s has changed", name)
		}
	}
}

func TestManySourcesAreNotExplored(t *testing.T) {
	var names []string
	for i := range 40 {
		names = append(names, strings.Repeat("s", i+1))
	}
	if err := joiner.Check(joiner.MatchAll(names...).And(joiner.MatchNone("cancelled"))); err != nil {
		t.Error(err)
	}
}
