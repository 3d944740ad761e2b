package gcsstore_test

import (
	"testing"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

const bucket = "bucket"

// open returns a store in the server's bucket. Each has a client of its own, as
// if it were another process's.
func open(t testing.TB, server *gcs.Server, settings ...gcsstore.Settings) *gcsstore.Store {
	t.Helper()
	s := gcsstore.Config(bucket)
	if len(settings) > 0 {
		s = settings[0]
	}
	store, err := gcsstore.New(t.Context(), s, option.WithEndpoint(server.Endpoint()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// TestConformance runs the suite over a socket, with every way of configuring a
// store that changes what it writes.
func TestConformance(t *testing.T) {
	for name, test := range map[string]struct {
		settings gcsstore.Settings
		callers  int // 0: as many as the suite sees fit
	}{
		"plain":  {gcsstore.Config(bucket), 0},
		"folder": {gcsstore.Config(bucket).WithFolder("team/orders"), 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := newServers()
			h := drivertest.Harness[*gcsstore.Store]{
				Open: func(t *testing.T) *gcsstore.Store {
					server := gcs.New(t, bucket)
					store := open(t, server, test.settings)
					servers.put(store, server)
					return store
				},
				Again: func(t *testing.T, s *gcsstore.Store) *gcsstore.Store {
					return open(t, servers.get(s), test.settings)
				},
				Parallel:  true,
				Exclusive: true,
				Callers:   test.callers,
			}
			drivertest.TestEventStore(t, h)
			drivertest.TestClaimStore(t, h)
			drivertest.TestInspector(t, h)
			drivertest.TestLetterBox(t, h)
			drivertest.TestReopener(t, h)
			drivertest.TestCorrector(t, h)
			drivertest.TestPurger(t, h)
			drivertest.TestDeadLetterStore(t, h, func(s *gcsstore.Store) []driver.DeadLetter {
				letters, err := s.DeadLetters(t.Context())
				if err != nil {
					t.Error(err)
				}
				return letters
			})
		})
	}
}
