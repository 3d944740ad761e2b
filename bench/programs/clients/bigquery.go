//go:build !nobigquery

package main

import (
	"context"

	"cloud.google.com/go/bigquery"
)

func alsoLinked() { _, _ = bigquery.NewClient(context.Background(), "") }
