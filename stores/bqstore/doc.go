// Package bqstore keeps events, claims and dead letters in BigQuery, in tables
// that a team can query.
//
// # What the promises stand on
//
// Google documents that a row can be queried once tabledata.insertAll has answered
// (https://docs.cloud.google.com/bigquery/docs/write-api-rest), and that of all requests with
// one job ID at most one succeeds (https://docs.cloud.google.com/bigquery/docs/exporting-data).
// It does not say outright that an ID stays taken for the six months for which jobs are
// kept, by whichever account, and that a query sees its tables at one moment.
//
// Events and dead letters are appended by insertAll. Different contents for one key and
// source are agreed on in two rounds of appending and reading, and only where they were
// written at the same moment, by a slot of a log: see agree.go.
//
// Each claimed key has such a log, of rows numbered from 1. Row n is inserted by a job whose
// ID is made from the key and n: of any number of writers one gets slot n, and who is refused
// reads the log again. The slots are taken one after another, so the last row is the
// state, every reader sees the same one, and the number of a claim's row is its fencing
// token. A slot whose job failed is burned, one whose row is gone is used up: the next
// is taken. A row is gone when it has expired, or with its table: one that is created anew
// has no rows, and uses the same slots. So keys that were completed run again there, and
// a claim from before is good until another has claimed the key.
//
// Leases end by BigQuery's clock: a row has the length of the lease, and is compared
// with its age when it is read.
//
// docs/bigquery.md has the limits and the cost.
package bqstore
