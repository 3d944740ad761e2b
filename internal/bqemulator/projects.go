package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/goccy/bigquery-emulator/server"
	"github.com/goccy/bigquery-emulator/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
)

// kept is how many projects are kept.
const kept = 32

// project is an emulator with one project. It does one thing at a time: statements
// and appends that meet each other lock it up.
type project struct {
	name       string
	emulator   *server.Server
	connection *grpc.ClientConn
	appends    storagepb.BigQueryWriteClient

	busy    sync.Mutex
	jobs    map[string]*job // by ID; guarded by busy
	stopped bool            // likewise
}

// projects are those that were used last, the latest first.
type projects struct {
	mu   sync.Mutex
	used []*project
}

// get returns the project, locked for the caller. It makes it if it is not there.
func (all *projects) get(name string) (*project, error) {
	for {
		p, err := all.find(name)
		if err != nil {
			return nil, fmt.Errorf("project %s: %w", name, err)
		}
		p.busy.Lock()
		if !p.stopped {
			return p, nil
		}
		p.busy.Unlock()
	}
}

func (all *projects) find(name string) (*project, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for i, p := range all.used {
		if p.name == name {
			copy(all.used[1:], all.used[:i])
			all.used[0] = p
			return p, nil
		}
	}
	p, err := start(name)
	if err != nil {
		return nil, err
	}
	all.used = append([]*project{p}, all.used...)
	if len(all.used) > kept {
		last := all.used[kept]
		all.used = all.used[:kept]
		go last.stop()
	}
	return p, nil
}

func (all *projects) close() {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, p := range all.used {
		p.stop()
	}
	all.used = nil
}

func start(name string) (*project, error) {
	emulator, err := server.New(server.TempStorage)
	if err != nil {
		return nil, err
	}
	if err := emulator.Load(server.StructSource(types.NewProject(name))); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	emulator.SetListenCallback(func(_, addr string) { listening <- addr })
	ended := make(chan error, 1)
	go func() { ended <- emulator.Serve(context.Background(), "127.0.0.1:0", "127.0.0.1:0") }()
	select {
	case addr := <-listening:
		connection, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(maxAppend)))
		if err != nil {
			return nil, err
		}
		return &project{name: name, emulator: emulator, connection: connection,
			appends: storagepb.NewBigQueryWriteClient(connection), jobs: make(map[string]*job)}, nil
	case err := <-ended:
		return nil, err
	}
}

// stop ends the emulator, once it has nothing to do.
func (p *project) stop() {
	p.busy.Lock()
	defer p.busy.Unlock()
	p.stopped = true
	_ = p.connection.Close()
	_ = p.emulator.Stop(context.Background())
}
