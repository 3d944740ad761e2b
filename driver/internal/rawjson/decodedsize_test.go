package rawjson_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver/internal/rawjson"
)

type wide struct{ A, B, C, D, E, F, G, H string }

type tree struct {
	Kids  []tree
	Items []wide `json:"items"`
}

// Far is embedded by a pointer, which encoding/json follows in exported structs alone.
type Far struct {
	A string
	_ [500]byte
	*Near
}

// Near embeds another.
type Near struct {
	*Last
	N int
}

// Last is the last that is embedded.
type Last struct {
	B string
	_ [300]byte
}

// times returns a list of n elements.
func times(n int, element string) string {
	return "[" + strings.Repeat(element+",", n-1) + element + "]"
}

// TestDecodedSize decodes JSON that becomes much larger, and compares what stays allocated.
func TestDecodedSize(t *testing.T) {
	const n = 20_000
	for name, c := range map[string]struct {
		text string
		into any
	}{
		"empty objects in any":   {times(n, "{}"), new(any)},
		"objects in any":         {times(n, `{"a":1}`), new(any)},
		"lists in any":           {times(n, "[]"), new(any)},
		"lists of one in any":    {times(n, "[1]"), new(any)},
		"numbers in any":         {times(n, "1"), new(any)},
		"structs":                {times(n, "{}"), new([]wide)},
		"what is not the struct": {times(n, "1"), new([]wide)},
		"pointers":               {times(n, "{}"), new([]*wide)},
		"pointers to pointers":   {times(n, "{}"), new([]***wide)},
		"lists of lists":         {times(n, "[{}]"), new([][]wide)},
		"maps":                   {times(n, `{"x":{}}`), new([]map[string]wide)},
		"empty maps":             {times(n, "{}"), new([]map[string]wide)},
		"parts":                  {times(n, "1"), new([]json.RawMessage)},
		"times":                  {times(n, `"2026-03-01T08:15:00Z"`), new([]time.Time)},
		"small numbers":          {times(n, "1"), new([]byte)},
		"a field":                {`{"items":` + times(n, "{}") + `}`, new(tree)},
		"a field in other case":  {`{"ITEMſ":` + times(n, "{}") + `}`, new(tree)},
		"a tree":                 {`{"kids":` + times(n, `{"Kids":[{}]}`) + `}`, new(tree)},
		"embedded":               {`{"items":` + times(n, "{}") + `}`, new(struct{ tree })},
		"an embedded pointer":    {times(n, `{"a":""}`), new([]struct{ *Far })},
		"embedded in a pointer":  {times(n, `{"B":""}`), new([]struct{ Near })},
		"a list of a fixed size": {times(n, times(4, "{}")), new([][2]*wide)},
	} {
		t.Run(name, func(t *testing.T) {
			size := rawjson.DecodedSize([]byte(c.text), reflect.TypeOf(c.into).Elem())
			if size > 0 && !rawjson.Takes(reflect.TypeOf(c.into).Elem()) {
				t.Errorf("%d bytes, of a type of which nobody looks", size)
			}
			before := heap()
			_ = json.Unmarshal([]byte(c.text), c.into)
			took := heap() - before
			runtime.KeepAlive(c.into)
			if took > size+len(c.text) {
				t.Errorf("%d bytes of JSON took %d when decoded, want %d at most", len(c.text), took, size+len(c.text))
			}
			if size > 10*(took+len(c.text)) {
				t.Errorf("%d bytes of JSON took %d when decoded, and %d were expected", len(c.text), took, size)
			}
		})
	}
}

func heap() int {
	for range 2 { // what is in a sync.Pool outlives one
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestDecodedSizeScansOnce: the time does not double with each level of what a type is nested in itself.
func TestDecodedSizeScansOnce(t *testing.T) {
	type node struct {
		Kids  []node          `json:"kids"`
		KIDS  []node          `json:"Kids"`
		Named map[string]node `json:"named"`
		Next  *node           `json:"next,omitempty"`
		Other *node           `json:"other"`
		OTHER **node          `json:"Other"`
	}
	const deep = 1000
	for opens, closes := range map[string]string{`{"kids":[`: "]}", `{"named":{"a":`: "}}", `{"next":`: "}", `{"other":`: "}"} {
		text := strings.Repeat(opens, deep) + "{}" + strings.Repeat(closes, deep)
		if !json.Valid([]byte(text)) {
			t.Fatal(opens)
		}
		size := make(chan int, 1)
		go func() { size <- rawjson.DecodedSize([]byte(text), reflect.TypeFor[node]()) }()
		select {
		case got := <-size:
			if got < deep*int(reflect.TypeFor[node]().Size()) {
				t.Errorf("%s: %d bytes", opens, got)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: %d levels take longer than 10 s", opens, deep)
		}
	}
}

// placed has the places of all that is decoded into it.
type placed struct {
	Raw   json.RawMessage
	Text  string
	At    time.Time
	Fixed [3]wide
	Inner struct{ N int }
}

// Only what grows is counted: what is not decoded, or has its place already, takes nothing.
func TestDecodedSizeOfWhatDoesNotGrow(t *testing.T) {
	type order struct {
		placed
		None *wide
	}
	text := fmt.Sprintf(`{"raw":%s,"TEXT":"x,{[","at":"2026-03-01T08:15:00Z","fixed":[{},{"A":"x"}],"inner":{"N":1},"none":null,"other":%[1]s}`,
		times(1000, `{"a":1}`))
	if size := rawjson.DecodedSize([]byte(text), reflect.TypeFor[order]()); size != 0 {
		t.Errorf("%d bytes", size)
	}
}

// TestTakes: of what has all of its places already nobody has to look.
func TestTakes(t *testing.T) {
	for _, of := range []reflect.Type{reflect.TypeFor[placed](), reflect.TypeFor[string](), reflect.TypeFor[struct{}]()} {
		if rawjson.Takes(of) {
			t.Errorf("%v takes memory when it is decoded", of)
		}
	}
	for _, of := range []reflect.Type{reflect.TypeFor[struct{ of *placed }](), reflect.TypeFor[[2][]byte]()} {
		if !rawjson.Takes(of) {
			t.Errorf("%v takes no memory when it is decoded", of)
		}
	}
}
