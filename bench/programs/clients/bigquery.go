//go:build !nobigquery

package main

import (
	"context"

	"cloud.google.com/go/bigquery"
)

// alsoLinked reads a query: of a client that is only opened the linker keeps next to nothing.
func alsoLinked() {
	if client, err := bigquery.NewClient(context.Background(), ""); err == nil {
		_, _ = client.Query("").Read(context.Background())
	}
}
