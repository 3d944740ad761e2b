package bqstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore"
)

// example opens a store with the settings, and keeps an event there. It runs on a stand-in for
// BigQuery: see TestMain.
func example(settings bqstore.Settings) {
	ctx := context.Background()
	store, err := bqstore.New(ctx, settings)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if err := store.EnsureTables(ctx); err != nil {
		log.Fatal(err)
	}
	event := driver.Message{Key: "order-1", Source: "event1", Content: []byte(`{"n":1}`)}
	if err := store.Persist(ctx, event); err != nil {
		log.Fatal(err)
	}
	m, err := store.LookUp(ctx, "order-1", "event1")
	fmt.Println(string(m.Content), err)
}

func ExampleNew() {
	example(bqstore.Config("my-project", "orders"))
	// Output:
	// {"n":1} <nil>
}

func ExampleConfig() {
	fmt.Println(bqstore.Config("my-project", "orders").WithLocation("EU").Check())
	fmt.Println(bqstore.Config("my-project", "").Check())
	// Output:
	// <nil>
	// dataset "": must be of letters, digits and underscores
}

// A call may take two minutes.
func ExampleSettings_WithTimeout() {
	example(bqstore.Config("my-project-2", "orders").WithTimeout(2 * time.Minute))
	// Output:
	// {"n":1} <nil>
}

// Rows are seen for a month.
func ExampleSettings_WithRetention() {
	example(bqstore.Config("my-project-4", "orders").WithRetention(30 * 24 * time.Hour))
	// Output:
	// {"n":1} <nil>
}

// The dataset is in a region.
func ExampleSettings_WithLocation() {
	example(bqstore.Config("my-project-5", "orders").WithLocation("europe-west1"))
	// Output:
	// {"n":1} <nil>
}
