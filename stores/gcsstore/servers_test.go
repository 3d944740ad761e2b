package gcsstore_test

import (
	"sync"

	"example.com/eventdriver/internal/gcsfake"
	"example.com/eventdriver/stores/gcsstore"
)

// servers remembers which server a store is on.
type servers struct {
	mu sync.Mutex
	of map[*gcsstore.Store]*gcsfake.Server
}

func newServers() *servers {
	return &servers{of: make(map[*gcsstore.Store]*gcsfake.Server)}
}

func (s *servers) put(store *gcsstore.Store, server *gcsfake.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[store] = server
}

func (s *servers) get(store *gcsstore.Store) *gcsfake.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[store]
}
