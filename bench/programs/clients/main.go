// Command clients is a bare function that is linked with the clients of Google's services that the
// function of this project uses, and writes one object for each request.
package main

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/storage"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/bench/subject"
)

// bucket opens the client at the first event.
var bucket = sync.OnceValues(func() (*storage.BucketHandle, error) {
	client, err := storage.NewClient(context.Background(), storage.WithJSONReads())
	if err != nil {
		return nil, err
	}
	return client.Bucket(os.Getenv("GCS_BUCKET")), nil
})

var written atomic.Int64

func init() {
	functions.HTTP("EventDriver", func(w http.ResponseWriter, r *http.Request) {
		if err := write(r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func write(r *http.Request) error {
	event, err := cloudevents.NewEventFromHTTPRequest(r)
	if err != nil {
		return err
	}
	bucket, err := bucket()
	if err != nil {
		return err
	}
	object := bucket.Object("events/" + strconv.FormatInt(written.Add(1), 10)).NewWriter(r.Context())
	object.ChunkSize = 0
	_, err = object.Write(event.Data())
	if err != nil {
		return err
	}
	return object.Close()
}

func main() {
	if os.Getenv("OUTPUT_TOPIC") != "" { // never; so that the linker keeps the clients
		ctx := context.Background()
		_, _ = pubsub.NewClient(ctx, "")
		linkBigQuery(ctx)
		linkTelemetry(ctx)
	}
	subject.Serve()
}
