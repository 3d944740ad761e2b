package gcsstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// example opens a store with the settings, in a bucket of a stand-in for Cloud Storage, and keeps
// an event there. A program of yours needs neither of the two options.
func example(settings gcsstore.Settings) {
	server, err := gcs.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	server.CreateBucket("my-bucket")

	ctx := context.Background()
	store, err := gcsstore.New(ctx, settings, option.WithEndpoint(server.Endpoint()), option.WithoutAuthentication())
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	event := driver.Message{Key: "order-1", Source: "event1", Content: []byte(`{"n":1}`)}
	if err := store.Persist(ctx, event); err != nil {
		log.Fatal(err)
	}
	m, err := store.LookUp(ctx, "order-1", "event1")
	fmt.Println(string(m.Content), err)
}

func ExampleNew() {
	example(gcsstore.Config("my-bucket"))
	// Output:
	// {"n":1} <nil>
}

func ExampleConfig() {
	fmt.Println(gcsstore.Config("my-bucket").WithFolder("orders").Check())
	fmt.Println(gcsstore.Config("").Check())
	// Output:
	// <nil>
	// bucket "": must be the name of a bucket, without "gs://"
}

func ExampleSettings_WithTimeout() {
	short, long := 5*time.Second, 20*time.Second
	example(gcsstore.Config("my-bucket").WithTimeout(gcsstore.Timeout{
		Default:   &short,
		Operation: map[gcsstore.Operation]time.Duration{gcsstore.OpComplete: long},
	}))
	// Output:
	// {"n":1} <nil>
}

// Several stores share a bucket.
func ExampleSettings_WithFolder() {
	example(gcsstore.Config("my-bucket").WithFolder("team/orders"))
	// Output:
	// {"n":1} <nil>
}
