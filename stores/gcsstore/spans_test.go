package gcsstore

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// page lists objects of these names, below the folder "f".
func page(names ...string) (objects []listed) {
	for _, name := range names {
		objects = append(objects, listed{name: "f/" + name})
	}
	return objects
}

func TestSpanTakesWholeKeys(t *testing.T) {
	whole := span{"00/", 256}
	for _, c := range []struct {
		name  string
		span  span
		names []string
		more  bool
		keys  string
		rest  []span
	}{
		{"nothing", whole, nil, false, "", nil},
		{"two keys", whole, []string{"00/a/claim", "00/a/done", "00/a-1/claim"}, false,
			"00/a/claim 00/a/done | 00/a-1/claim", nil},
		{"a key that may go on", whole, []string{"00/a/claim", "3f/b/claim"}, true, "00/a/claim", []span{{"3f/b/", 256}}},
		{"one key that goes on", span{"00/a/", 256}, []string{"00/a/claim", "00/a/done"}, true, "", []span{{"00/a/", 256}}},
		{"strangers", whole,
			[]string{"00/x", "00stuff/x/y", "0a/b/claim", "deadletters/1/2.json", "df/c/claim", "dfx/1"}, false,
			"0a/b/claim | df/c/claim", nil},
		{"strangers at the end", whole, []string{"3f/b/claim", "3fx/1"}, true, "3f/b/claim", []span{{"40/", 256}}},
		{"a stranger at the end, in a folder of keys", whole, []string{"3f/b/claim", "3f/c"}, true, "3f/b/claim",
			[]span{{"3f/c\x00", 256}}},
		{"strangers at the end of a span", span{"3f/", 64}, []string{"3f/b/claim", "3fx/1"}, true, "3f/b/claim", nil},
		{"nothing but strangers", whole, []string{"deadletters/1/2.json"}, true, "", []span{{"df/", 256}}},
		{"a stranger in a folder of keys", whole, []string{"de/", "de/x", "de/y/claim"}, false, "de/y/claim", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, rest := c.span.take("f/", page(c.names...), c.more)
			var groups []string
			for _, objects := range keys {
				var names []string
				for _, o := range objects {
					names = append(names, strings.TrimPrefix(o.name, "f/"))
				}
				groups = append(groups, strings.Join(names, " "))
			}
			if got := strings.Join(groups, " | "); got != c.keys || !reflect.DeepEqual(rest, c.rest) {
				t.Errorf("keys %s, rest %v; want %s, %v", got, rest, c.keys, c.rest)
			}
		})
	}
}

// TestSpansAreAPartition: however often they are split, each folder is in one span, and
// the order of their names is the order of the folders.
func TestSpansAreAPartition(t *testing.T) {
	for _, n := range []int{1, 2, 7, 32, 256, 1000} {
		folders := make(map[int]int)
		spans := widen(all(), n)
		for _, s := range spans {
			for folder := s.hash(); folder < s.to; folder++ {
				folders[folder]++
			}
		}
		if len(spans) != min(n, hashes) || len(folders) != hashes || shareOf(spans) != 0 {
			t.Errorf("%d spans for %d, with %d folders", len(spans), n, len(folders))
		}
		for folder, times := range folders {
			if times != 1 {
				t.Errorf("folder %d is in %d spans", folder, times)
			}
		}
	}
	for n := range hashes {
		folder, next := hashFolder(n), hashFolder(n+1)
		if folder != fmt.Sprintf("%02x/", n) || folder+"~" >= next {
			t.Errorf("folder %d is %q, and the next %q", n, folder, next)
		}
	}
	want := []span{{"3a/order-7/", 0x3c}, {"3d/", 0x40}, {"3c/", 0x3d}}
	if got := widen([]span{{"3a/order-7/", 0x40}}, 3); !reflect.DeepEqual(got, want) {
		t.Errorf("split into %v, want %v", got, want)
	}
}
