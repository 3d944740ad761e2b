package project

import (
	"fmt"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for path, want := range map[string][3]string{
		"github.com/you/orders":                    {"orders", "Orders", "orders"},
		"github.com/You/Orders":                    {"orders", "Orders", "orders"},
		"github.com/you/order-service/v2":          {"orderservice", "OrderService", "orderservice"},
		"gopkg.in/order_service.v3":                {"orderservice", "OrderService", "orderservice"},
		"you.example/go":                           {},
		"you.example/x":                            {"x", "X", "x-function"},
		"you.example/every-order-of-the-warehouse": {"everyorderofthewarehouse", "EveryOrderOfTheWarehouse", "everyorderofthewareh"},
	} {
		p, err := NewPlan(path, []string{"placed"})
		if got := [3]string{p.Package, p.Entry, p.Service}; got != want || (err == nil) != (want[0] != "") {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
}

func TestFieldsOfSources(t *testing.T) {
	for source, want := range map[string]string{
		"placed": "Placed", "type": "Type", "PAID": "PAID", "order-placed": "OrderPlaced", "order_placed-": "OrderPlaced", "a1": "A1",
	} {
		if got := camelCase(source); got != want {
			t.Errorf("the field of %s is %s, want %s", source, got, want)
		}
	}
}

// TestMistakesAreNamed: each error says what to write instead.
func TestMistakesAreNamed(t *testing.T) {
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("event", i)
	}
	const good = "github.com/you/orders"
	for _, c := range []struct {
		module  string
		sources []string
		says    []string
	}{
		{"", []string{"placed"}, []string{"as in --module=github.com/you/orders"}},
		{"orders", []string{"placed"}, []string{"missing dot in first path element", "as in github.com/you/orders"}},
		{"github.com/you/my orders", []string{"placed"}, []string{"as in github.com/you/orders"}},
		{"https://github.com/you/orders", []string{"placed"}, []string{"as in github.com/you/orders"}},
		{"github.com/you/func", []string{"placed"}, []string{`"func"`, "end the path otherwise"}},
		{"github.com/you/main", []string{"placed"}, []string{`"main"`, "end the path otherwise"}},
		{"github.com/you/init", []string{"placed"}, []string{`"init"`, "end the path otherwise"}},
		{"github.com/you/google-orders", []string{"placed"}, []string{`"google-orders"`, "end the path otherwise"}},
		{"github.com/you/from-google", []string{"placed"}, []string{`"from-google"`, "end the path otherwise"}},
		{"github.com/you/3d", []string{"placed"}, []string{`"3d"`, "end the path otherwise"}},
		{"github.com/you/event-driver", []string{"placed"}, []string{"like one of the library", "end the path otherwise"}},
		{good, nil, []string{"--sources=placed,paid,packed"}},
		{good, many, []string{"names 101 events", "up to 100", "join some of them"}},
		{good, []string{"placed", ""}, []string{"name 2 is empty"}},
		{good, []string{"order.placed"}, []string{`"order.placed"`, "letters, digits, hyphens"}},
		{good, []string{"1st"}, []string{`"1st" must be a letter`}},
		{good, []string{"bestätigt"}, []string{"must be a letter"}},
		{good, []string{strings.Repeat("a", 40)}, []string{"up to 38"}},
		{good, []string{"paid-", "b_"}, []string{`"paid-"`, `"b_"`, "a digit at the end"}},
		{good, []string{"a", "b", "a"}, []string{`"a" is there twice`}},
		{good, []string{"placed", "Placed"}, []string{`"placed" and "Placed"`, "rename one"}},
		{good, []string{"a-b", "a_b"}, []string{`"a-b" and "a_b"`, "rename one"}},
		{good, []string{"a-b", "aB"}, []string{`"a-b" and "aB"`, "rename one"}},
		{"orders", []string{"1st", "2nd"}, []string{"--module", `"1st"`, `"2nd"`}},
	} {
		_, err := NewPlan(c.module, c.sources)
		for _, says := range c.says {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%q of %q: %v; want an error that says %s", c.sources, c.module, err, says)
			}
		}
	}
}
