package bigquery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// maxAppend is how large an append may be.
const maxAppend = 20 << 20

// appends is the Storage Write API, as far as default streams need it.
type appends struct {
	storagepb.UnimplementedBigQueryWriteServer
	server *Server
}

// table finds the table of a default stream,
// "projects/p/datasets/d/tables/t/streams/_default", and returns it with its project
// locked.
func (a *appends) table(stream string) (*project, *table, error) {
	parts := strings.Split(stream, "/")
	if len(parts) < 6 || parts[len(parts)-1] != "_default" {
		return nil, nil, status.Errorf(codes.InvalidArgument, "the fake has default streams only, not %s", stream)
	}
	p := a.server.project(parts[1])
	p.mu.Lock()
	t, err := p.find(strings.Join([]string{parts[1], parts[3], parts[5]}, "."))
	if err != nil {
		p.mu.Unlock()
		return nil, nil, status.Error(codes.NotFound, err.Error())
	}
	return p, t, nil
}

func (a *appends) GetWriteStream(_ context.Context, r *storagepb.GetWriteStreamRequest) (*storagepb.WriteStream, error) {
	p, _, err := a.table(r.Name)
	if err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	return &storagepb.WriteStream{Name: r.Name, Type: storagepb.WriteStream_COMMITTED}, nil
}

// AppendRows answers each append once its rows can be read. The stream and the schema of
// a request hold until others are sent.
func (a *appends) AppendRows(client storagepb.BigQueryWrite_AppendRowsServer) error {
	var stream string
	var schema protoreflect.MessageDescriptor
	for {
		r, err := client.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.WriteStream != "" {
			stream = r.WriteStream
		}
		if sent := r.GetProtoRows().GetWriterSchema(); sent != nil {
			if schema, err = descriptor(sent.ProtoDescriptor); err != nil {
				return status.Error(codes.InvalidArgument, err.Error())
			}
		}
		if err := a.append(client.Context(), stream, schema, r.GetProtoRows().GetRows().GetSerializedRows()); err != nil {
			return err
		}
		answer := &storagepb.AppendRowsResponse{WriteStream: stream, Response: &storagepb.AppendRowsResponse_AppendResult_{
			AppendResult: &storagepb.AppendRowsResponse_AppendResult{}}}
		if err := client.Send(answer); err != nil {
			return err
		}
	}
}

func (a *appends) append(ctx context.Context, stream string, schema protoreflect.MessageDescriptor, rows [][]byte) error {
	parts := strings.Split(stream, "/")
	fault := a.server.receive(Request{Method: "AppendRows", Project: parts[min(1, len(parts)-1)], ID: stream})
	if !pause(ctx, fault.Delay, fault.Hold) {
		return ctx.Err()
	}
	if fault.Status != 0 {
		code := codes.Unavailable
		if fault.Status == http.StatusTooManyRequests {
			code = codes.ResourceExhausted
		}
		return status.Error(code, "a fault that was asked for")
	}
	p, t, err := a.table(stream)
	if err != nil {
		return err
	}
	defer p.mu.Unlock()
	for _, serialized := range rows {
		m := dynamicpb.NewMessage(schema)
		if err := proto.Unmarshal(serialized, m); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		if err := t.add(t.row(m)); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
	if fault.Drop {
		return status.Error(codes.Unavailable, "the answer is lost")
	}
	return nil
}

// descriptor makes a type of the schema that a client sent.
func descriptor(sent *descriptorpb.DescriptorProto) (protoreflect.MessageDescriptor, error) {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{Name: proto.String("row.proto"),
		MessageType: []*descriptorpb.DescriptorProto{sent}}, nil)
	if err != nil {
		return nil, fmt.Errorf("the writer's schema: %w", err)
	}
	return file.Messages().Get(0), nil
}

// row returns a message as a row: timestamps are counts of microseconds.
func (t *table) row(m *dynamicpb.Message) row {
	r := make(row)
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := string(f.Name())
		r[name] = v.Interface()
		if n, isNumber := r[name].(int64); isNumber && t.field(name) != nil && t.field(name).Type == "TIMESTAMP" {
			r[name] = time.UnixMicro(n).UTC()
		}
		return true
	})
	return r
}
