package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
)

// maxAppend is how large an append may be.
const maxAppend = 20 << 20

// appends stands before the emulators' Storage Write API. An emulator knows a stream only
// after somebody asked for it, and takes one schema on a connection, while clients that
// share a connection send several. So each append gets its own connection to the
// emulator.
type appends struct {
	storagepb.UnimplementedBigQueryWriteServer
	projects *projects
}

// of returns the project of a stream, locked for the caller.
func (a *appends) of(stream string) (*project, error) {
	parts := strings.Split(stream, "/")
	if len(parts) < 2 || parts[0] != "projects" {
		return nil, fmt.Errorf("stream %q is of no project", stream)
	}
	return a.projects.get(parts[1])
}

func (a *appends) GetWriteStream(ctx context.Context, r *storagepb.GetWriteStreamRequest) (*storagepb.WriteStream, error) {
	p, err := a.of(r.Name)
	if err != nil {
		return nil, err
	}
	defer p.busy.Unlock()
	return p.appends.GetWriteStream(ctx, &storagepb.GetWriteStreamRequest{Name: r.Name})
}

func (a *appends) AppendRows(client storagepb.BigQueryWrite_AppendRowsServer) error {
	stream, schema := "", (*storagepb.ProtoSchema)(nil) // both hold until others are sent
	for {
		request, err := client.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if request.WriteStream != "" {
			stream = request.WriteStream
		}
		if sent := request.GetProtoRows().GetWriterSchema(); sent != nil {
			schema = sent
		}
		request.WriteStream, request.GetProtoRows().WriterSchema = stream, schema
		answer, err := a.forward(client.Context(), request)
		if err != nil {
			return err
		}
		if err := client.Send(answer); err != nil {
			return err
		}
	}
}

// forward sends one append to the emulator and returns the answer.
func (a *appends) forward(ctx context.Context, r *storagepb.AppendRowsRequest) (*storagepb.AppendRowsResponse, error) {
	p, err := a.of(r.WriteStream)
	if err != nil {
		return nil, err
	}
	defer p.busy.Unlock()
	// An append that is cut off would leave the emulator locked.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if _, err := p.appends.GetWriteStream(ctx, &storagepb.GetWriteStreamRequest{Name: r.WriteStream}); err != nil {
		return nil, err
	}
	stream, err := p.appends.AppendRows(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(r); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return stream.Recv()
}
