package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/goccy/bigquery-emulator/server"
	"github.com/goccy/bigquery-emulator/types"
)

// project is an emulator with one project. It does one thing at a time, because
// statements at the same time lock the emulator up.
type project struct {
	name     string
	emulator *server.Server

	busy sync.Mutex
	jobs map[string]*job // by ID; guarded by busy
}

// projects are the projects that somebody asked about. They are kept until the end: an
// emulator that is stopped gives hardly any memory back.
type projects struct {
	mu   sync.Mutex
	used map[string]*project
}

// get returns the project, locked for the caller. It makes it if it is not there.
func (all *projects) get(name string) (*project, error) {
	p, err := all.find(name)
	if err != nil {
		return nil, fmt.Errorf("project %s: %w", name, err)
	}
	p.busy.Lock()
	return p, nil
}

func (all *projects) find(name string) (*project, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if p := all.used[name]; p != nil {
		return p, nil
	}
	p, err := start(name)
	if err != nil {
		return nil, err
	}
	if all.used == nil {
		all.used = make(map[string]*project)
	}
	all.used[name] = p
	return p, nil
}

func (all *projects) close() {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, p := range all.used {
		p.stop()
	}
}

func start(name string) (*project, error) {
	emulator, err := server.New(server.TempStorage)
	if err != nil {
		return nil, err
	}
	if err := emulator.Load(server.StructSource(types.NewProject(name))); err != nil {
		return nil, err
	}
	listening := make(chan struct{})
	emulator.SetListenCallback(func(_, _ string) { close(listening) })
	ended := make(chan error, 1)
	go func() { ended <- emulator.Serve(context.Background(), "127.0.0.1:0", "127.0.0.1:0") }()
	select {
	case <-listening:
		return &project{name: name, emulator: emulator, jobs: make(map[string]*job)}, nil
	case err := <-ended:
		return nil, err
	}
}

// stop ends the emulator, once it has nothing to do.
func (p *project) stop() {
	p.busy.Lock()
	defer p.busy.Unlock()
	_ = p.emulator.Stop(context.Background())
}
