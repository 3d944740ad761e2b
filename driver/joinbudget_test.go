package driver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// answers counts those that Cloud Storage does not charge for: 4xx.
type answers struct{ freeA, freeB atomic.Int64 }

// counted is a transport whose answers are counted.
type counted struct {
	*answers
	http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (a counted) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := a.RoundTripper.RoundTrip(r)
	if err == nil && response.StatusCode/100 == 4 {
		if r.Method == http.MethodGet {
			a.freeB.Add(1)
		} else {
			a.freeA.Add(1)
		}
	}
	return response, err
}

// roundTrip is how long each request takes.
const roundTrip = 20 * time.Millisecond

// TestJoinsStayWithinTheirBudget counts what joins of many sources cost whose events come one after another:
// to one instance or to eight, in the same order for each key or in any.
//
//	go test ./driver -run TestJoinsStayWithinTheirBudget -v
func TestJoinsStayWithinTheirBudget(t *testing.T) {
	for _, test := range []struct {
		sources, keys int
		one, eight    float64 // dollars a million joins, at most, counting all requests
		trips         int     // that an event waits for, at most
	}{
		{3, 3, 28.60, 28.60, 3},
		{5, 3, 45, 45, 3},
		{6, 10, 48, 50.5, 4},
		{10, 12, 75, 80, 4},
		{20, 10, 150, 166, 4},
	} {
		for instances, most := range map[int]float64{1: test.one, 8: test.eight} {
			for _, order := range []string{"one", "any"} {
				t.Run(fmt.Sprintf("%d sources, %d instances, %s order", test.sources, instances, order), func(t *testing.T) {
					all, charged, trips := costOf(t, test.sources, test.keys, instances, order == "any")
					t.Logf("%s; charged %s; an event waits for %d round trips at most", all, charged, trips)
					if all.dollars() > most+1e-9 || trips > test.trips {
						t.Errorf("%s and %d round trips; want $%.2f and %d at most", all, trips, most, test.trips)
					}
				})
			}
		}
	}
}

// cost is how many operations a join takes on average.
type cost struct{ a, b float64 }

func (c cost) dollars() float64 { return 5*c.a + 0.4*c.b }

func (c cost) String() string {
	return fmt.Sprintf("%.1f A and %.1f B, $%.2f a million joins", c.a, c.b, c.dollars())
}

// costOf joins keys, and returns what a join costs on average, and for how many round trips an event
// waits at most.
func costOf(t *testing.T, n, keys, instances int, anyOrder bool) (all, charged cost, trips int) {
	chance := rand.New(rand.NewPCG(1, 2))
	server := gcs.New(t, "my-bucket")
	synctest.Test(t, func(t *testing.T) {
		var sources []string
		for i := range n {
			sources = append(sources, fmt.Sprint("event", i+1))
		}
		free, done := &answers{}, 0
		var pipelines []*driver.Pipeline
		for range instances {
			store := warmStore(t, server, free)
			business := driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { done++; return nil })
			pipelines = append(pipelines, driver.New(joiner.New(joiner.MatchAll(sources...), store), cache.New(store), business))
		}
		server.Reset()
		free.freeA.Store(0)
		free.freeB.Store(0)
		server.OnRequest(func(gcs.Request) gcs.Fault { return gcs.Fault{Delay: roundTrip} })
		for key := range keys {
			arriving := slices.Clone(sources)
			if anyOrder {
				chance.Shuffle(n, func(i, j int) { arriving[i], arriving[j] = arriving[j], arriving[i] })
			}
			for _, source := range arriving {
				m := driver.Message{ID: source, Key: fmt.Sprint("order-", key), Source: source, Content: []byte(`{"n":1}`)}
				began := time.Now()
				if err := pipelines[chance.IntN(instances)].Process(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				trips = max(trips, int(time.Since(began)/roundTrip))
			}
		}
		if done != keys {
			t.Errorf("%d keys were processed %d times", keys, done)
		}
		counts := server.Counts()
		perKey := func(a, b int) cost { return cost{float64(a) / float64(keys), float64(b) / float64(keys)} }
		all = perKey(counts.A, counts.B)
		charged = perKey(counts.A-int(free.freeA.Load()), counts.B-int(free.freeB.Load()))
	})
	return all, charged, trips
}

// warmStore is the store of an instance that knows the bucket.
func warmStore(t *testing.T, server *gcs.Server, free *answers) *gcsstore.Store {
	t.Helper()
	transport := &gcs.Transport{Server: server}
	t.Cleanup(transport.Wait)
	store, err := gcsstore.New(t.Context(), gcsstore.Config("my-bucket"), option.WithEndpoint(server.Endpoint()),
		option.WithHTTPClient(&http.Client{Transport: counted{free, transport}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Persist(t.Context(), driver.Message{Key: "warm", Source: "up"}); err != nil {
		t.Fatal(err)
	}
	return store
}
