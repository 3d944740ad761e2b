package driver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// TestTypedHandlerHoldsContentOnceMore: that is what the joiner counts for it.
func TestTypedHandlerHoldsContentOnceMore(t *testing.T) {
	type order struct {
		A, B json.RawMessage
		Next *order
	}
	content := bytes.Repeat([]byte("1"), 4<<20)
	content = fmt.Appendf(nil, `{"A":%s,"B":%s}`, content, content)
	handler := driver.JSON(func(_ context.Context, _ string, in order) error {
		if len(in.A) != 4<<20 || len(in.B) != 4<<20 {
			t.Errorf("got %d and %d bytes", len(in.A), len(in.B))
		}
		return nil
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := driver.New(handler).Process(t.Context(), driver.Message{Key: "k", Source: "s", Content: content}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(len(content))*9/8 {
		t.Errorf("%d bytes were allocated for a content of %d", got, len(content))
	}
}

// budget is an account with that many bytes.
type budget int64

func (b *budget) Grow(n int64) error {
	if n > int64(*b) {
		return driver.ErrNoMemory
	}
	*b -= budget(n)
	return nil
}

func (b *budget) Shrink(n int64) { *b += budget(n) }

func (b *budget) Hold() func() { return func() {} }

// TestTypedHandlerDecodesNothingUncounted: neither a large value before something invalid, nor the
// members of an object of which two names differ in case alone.
func TestTypedHandlerDecodesNothingUncounted(t *testing.T) {
	type item struct{ A, B, C, D, E, F, G, H string }
	list := "[" + strings.Repeat("{},", 100_000) + "{}]"
	structs := driver.JSON(func(context.Context, string, []item) error { return nil })
	anything := driver.JSON(func(context.Context, string, any) error { return nil })
	object := driver.JSON(func(context.Context, string, item) error { return nil })
	for name, c := range map[string]struct {
		handler driver.Handler
		content string
		want    func(error) bool
	}{
		"structs, and more": {structs, list + " {}", driver.IsPermanent},
		"an any, and more":  {anything, list + " {}", driver.IsPermanent},
		"many members":      {object, `{"A":"","a":"",` + manyMembers(60_000) + `}`, noMemory},
	} {
		account := budget(1 << 20)
		m := driver.Message{Key: "k", Source: "s", Content: []byte(c.content)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := driver.New(c.handler).Process(driver.WithMemory(t.Context(), &account), m)
		runtime.ReadMemStats(&after)
		if !c.want(err) {
			t.Errorf("%s: %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 3<<20 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

// holder decodes what it holds itself.
type holder struct{ held any }

func (h *holder) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &h.held) }

// TestTypedHandlerCountsTheDecoder, which holds the content once more where a number may land in an any.
func TestTypedHandlerCountsTheDecoder(t *testing.T) {
	handler := driver.JSON(func(context.Context, string, struct{ A holder }) error { return nil })
	m := driver.Message{Key: "k", Source: "s", Content: fmt.Appendf(nil, `{"A":"%s"}`, strings.Repeat("x", 100_000))}
	for size, want := range map[int]error{100_000: driver.ErrNoMemory, 300_000: nil} {
		account := budget(size)
		if err := driver.New(handler).Process(driver.WithMemory(t.Context(), &account), m); !errors.Is(err, want) {
			t.Errorf("with %d bytes: %v, want %v", size, err, want)
		}
	}
}

func noMemory(err error) bool { return errors.Is(err, driver.ErrNoMemory) }

// manyMembers returns n members of an object, each with a name of its own.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"x%d":0,`, i)
	}
	return b.String() + `"z":0`
}

// TestTypedHandlerCountsWhatItDecodes, before it does: small JSON can become large.
func TestTypedHandlerCountsWhatItDecodes(t *testing.T) {
	type item struct{ A, B, C, D, E, F, G, H string }
	none := func() error { return nil }
	for name, c := range map[string]struct {
		handler driver.Handler
		content string
		fits    bool
	}{
		"a list in an any":       {driver.JSON(func(context.Context, string, any) error { return none() }), "[%s{}]", false},
		"a list of structs":      {driver.JSON(func(context.Context, string, []item) error { return none() }), "[%s{}]", false},
		"what is not decoded":    {driver.JSON(func(context.Context, string, item) error { return none() }), `{"other":[%s{}]}`, true},
		"the parts as they came": {driver.JSON(func(context.Context, string, struct{ A json.RawMessage }) error { return none() }), `{"A":[%s{}]}`, true},
	} {
		account := budget(1 << 20)
		m := driver.Message{Key: "k", Source: "s", Content: fmt.Appendf(nil, c.content, bytes.Repeat([]byte("{},"), 100_000))}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := driver.New(c.handler).Process(driver.WithMemory(t.Context(), &account), m)
		runtime.ReadMemStats(&after)
		if errors.Is(err, driver.ErrNoMemory) == c.fits || c.fits && err != nil {
			t.Errorf("%s: %v, want it to fit: %v", name, err, c.fits)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

// TestNumbersInAnyKeepTheirDigits, wherever the any is.
func TestNumbersInAnyKeepTheirDigits(t *testing.T) {
	type inner struct{ List []map[string]any }
	type outer struct {
		N     int
		Inner *[1]inner
	}
	handler := driver.JSON(func(_ context.Context, _ string, in outer) error {
		if got := fmt.Sprint(in.Inner[0].List[0]["n"]); got != "9007199254740993" {
			t.Errorf("got %s", got)
		}
		return nil
	})
	m := driver.Message{Key: "k", Source: "s", Content: []byte(`{"N":1,"Inner":[{"List":[{"n":9007199254740993}]}]}`)}
	if err := driver.New(handler).Process(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// Sources may differ in case alone. encoding/json takes any of them for a struct's field.
func TestJSONTellsMembersApartByCase(t *testing.T) {
	type order struct {
		Event1 json.RawMessage `json:"event1"`
		Event2 struct{ A, B int }
		Other  *string `json:"-"`
	}
	for content, want := range map[string]order{
		`{"EVENT1":1,"event1":2}`:                              {Event1: json.RawMessage("2")},
		`{"event1":2,"EVENT1":1,"Event1":[3]}`:                 {Event1: json.RawMessage("2")},
		`{"EVENT1":1}`:                                         {Event1: json.RawMessage("1")}, // as ever
		`{"event1":"<>","EVENT1":0,"Event2":{"A":1}}`:          {Event1: json.RawMessage(`"<>"`), Event2: struct{ A, B int }{A: 1}},
		`{"Event2":{"A":1},"event2":{"B":2},"x":1,"X":2}`:      {Event2: struct{ A, B int }{A: 1}},
		`{"event2":{"B":2},"Event2":{"A":1},"EVENT2":"other"}`: {Event2: struct{ A, B int }{A: 1}},
	} {
		var got order
		h := driver.JSON(func(_ context.Context, _ string, in order) error { got = in; return nil })
		if err := driver.New(h).Process(t.Context(), driver.Message{Key: "k", Source: "s", Content: []byte(content)}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s became %+v, %v; want %+v", content, got, err, want)
		}
		h = driver.JSON(func(_ context.Context, _ string, in *order) error { got = *in; return nil })
		err := driver.New(h).Process(t.Context(), driver.Message{Key: "k", Source: "s", Content: []byte(content)})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s became %+v, %v by a pointer; want %+v", content, got, err, want)
		}
	}
}

// picky decodes itself, and must not be given what never came.
type picky struct{ A, B string }

func (p *picky) UnmarshalJSON(content []byte) error {
	members := make(map[string]*string)
	if err := json.Unmarshal(content, &members); err != nil {
		return err
	}
	if *members["A"] != *members["B"] || bytes.Contains(content, []byte(`\u`)) {
		return errors.New("secret")
	}
	return nil
}

// TestRefusedFieldIsNamed also where it decodes itself, and its name is not that of its Go type. It is looked for
// where that is cheap.
func TestRefusedFieldIsNamed(t *testing.T) {
	type event struct {
		At    *time.Time `json:"at"`
		Cents int        `json:"cents,string"`
		Picky *picky
		Any   any
	}
	type order struct {
		event
		Event2 *event `json:"event2"`
	}
	many := `{"at":"secret"`
	for i := range 300 {
		many += fmt.Sprintf(`,"%d":0`, i)
	}
	for content, says := range map[string]string{
		`{"x":1,"at":"secret"}`:                      ": at: the value is refused by its Go type",
		`{"Any":1e999,"at":"secret"}`:                ": at: the value is refused by its Go type",
		`{"Picky":{"A":"<","B":"<"},"at":"<secret"}`: ": at: the value is refused by its Go type",
		`{"CENTS":"secret"}`:                         ": CENTS: the value is refused by its Go type",
		`{"at":null,"event2":{"at":"secret"}}`:       ": event2.at: the value is refused by its Go type",
		`{"event2":{"Picky":{"A":"1","B":"2"}}}`:     ": event2.Picky: the value is refused by its Go type",
		`{"at":"secret","event2":"secret"}`:          ": at: the value is refused by its Go type",
		many + `}`:                                   ": the value is refused by its Go type",
	} {
		for _, h := range []driver.Handler{
			driver.JSON(func(context.Context, string, order) error { return nil }),
			driver.JSON(func(context.Context, string, *order) error { return nil }),
		} {
			err := driver.New(h).Process(t.Context(), driver.Message{Key: "k", Source: "s", Content: []byte(content)})
			if !driver.IsPermanent(err) || !strings.HasSuffix(err.Error(), says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v; want a permanent error that ends with %q", content, err, says)
			}
		}
	}
}

// TestRefusedFieldIsLookedForWhereThereIsMemory, since that takes the content several times.
func TestRefusedFieldIsLookedForWhereThereIsMemory(t *testing.T) {
	handler := driver.JSON(func(context.Context, string, struct{ At time.Time }) error { return nil })
	m := driver.Message{Key: "k", Source: "s", Content: fmt.Appendf(nil, `{"At":"","x":"%s"}`, strings.Repeat("x", 100_000))}
	for size, want := range map[int]bool{900_000: false, 1_500_000: true} {
		account := budget(size)
		err := driver.New(handler).Process(driver.WithMemory(t.Context(), &account), m)
		if !driver.IsPermanent(err) || strings.Contains(err.Error(), "At: ") != want {
			t.Errorf("with %d bytes: %v; want the field: %v", size, err, want)
		}
	}
}
