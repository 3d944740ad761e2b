package transformer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/transformer"
)

func apply(t *testing.T, in driver.Message, rules ...transformer.Rule) (out driver.Message, err error) {
	t.Helper()
	last := driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error { out = m; return nil })
	err = driver.New(transformer.New(rules...), last).Process(t.Context(), in)
	return out, err
}

func TestEraseContentFromSources(t *testing.T) {
	erase := transformer.EraseContentFromSources("event1", "event4")
	for source, want := range map[string]string{"event1": "", "event2": "data", "event4": "", "": "data"} {
		in := driver.Message{ID: "i", Key: "k", Source: source, Content: []byte("data")}
		out, err := apply(t, in, erase)
		if err != nil || string(out.Content) != want || out.Source != source || out.ID != "i" || out.Key != "k" {
			t.Errorf("source %q: got %+v, %v; want content %q and all else as it was", source, out, err, want)
		}
		if string(in.Content) != "data" {
			t.Errorf("source %q: the rule changed the content in place", source)
		}
	}
}

func TestRenameSources(t *testing.T) {
	rename, err := transformer.RenameSources(map[string][]string{"event1": {"orders", "orders-v2", "event1"}, "event2": {"stock"}})
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{"orders": "event1", "orders-v2": "event1", "event1": "event1", "stock": "event2", "other": "other"} {
		out, err := apply(t, driver.Message{Key: "k", Source: source}, rename)
		if err != nil || out.Source != want {
			t.Errorf("source %q became %q, %v; want %q", source, out.Source, err, want)
		}
	}
}

func TestRenameSourcesRefusesConflicts(t *testing.T) {
	for name, c := range map[string]struct {
		aliases map[string][]string
		says    string
	}{
		"an alias of two names":   {map[string][]string{"event1": {"x"}, "event2": {"x"}}, `"x" stands for both "event1" and "event2"`},
		"an alias that is a name": {map[string][]string{"event1": {"event2"}, "event2": {"y"}}, `"event2" of "event1" is itself`},
		"an empty alias":          {map[string][]string{"event1": {""}}, `"event1": an alias is empty`},
		"an empty name":           {map[string][]string{"": {"x"}}, "name they stand for is empty"},
	} {
		if _, err := transformer.RenameSources(c.aliases); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v; want it to say %q", name, err, c.says)
		}
	}
}

func TestRulesApplyInOrder(t *testing.T) {
	rename, err := transformer.RenameSources(map[string][]string{"event1": {"orders"}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := apply(t, driver.Message{Source: "orders", Content: []byte("data")}, rename, transformer.EraseContentFromSources("event1"))
	if err != nil || len(out.Content) != 0 {
		t.Errorf("got %+v, %v; want the renamed event erased", out, err)
	}
}

func TestRuleThatIsNil(t *testing.T) {
	defer func() {
		if err, is := recover().(error); !is || err.Error() != "transformer: rule 2 is nil" {
			t.Errorf("%v; want a panic that says which rule is nil", err)
		}
	}()
	transformer.NewPrompt(transformer.EraseContentFromSources("event1"), nil)
}

func TestRuleErrorEndsIt(t *testing.T) {
	bad := driver.Permanent(errors.New("not ours"))
	refuse := func(m driver.Message) (driver.Message, error) { return m, bad }
	_, err := apply(t, driver.Message{Key: "k", Source: "s"}, transformer.EraseContentFromSources(), refuse)
	if !errors.Is(err, bad) || !driver.IsPermanent(err) || !strings.Contains(err.Error(), "rule 2") {
		t.Errorf("error %v; want the rule's own, permanent, naming rule 2", err)
	}
}
