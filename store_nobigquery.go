//go:build nobigquery

package eventdriver

// StoreBigQuery is the store in BigQuery, which this program does not have.
const StoreBigQuery = "bigquery"

func bigQueryStore() storeKind { return storeKind{name: StoreBigQuery, leftOut: "nobigquery"} }
