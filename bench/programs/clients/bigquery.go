//go:build !nobigquery

package main

import (
	"context"

	"cloud.google.com/go/bigquery"
)

// linkBigQuery reads a query: of a client that is only opened the linker keeps next to nothing.
func linkBigQuery(ctx context.Context) {
	if client, err := bigquery.NewClient(ctx, ""); err == nil {
		_, _ = client.Query("").Read(ctx)
	}
}
