package gcsstore_test

import (
	"sync"

	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// servers remembers which server a store is on.
type servers struct {
	mu sync.Mutex
	of map[*gcsstore.Store]*gcs.Server
}

func newServers() *servers {
	return &servers{of: make(map[*gcsstore.Store]*gcs.Server)}
}

func (s *servers) put(store *gcsstore.Store, server *gcs.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[store] = server
}

func (s *servers) get(store *gcsstore.Store) *gcs.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[store]
}
