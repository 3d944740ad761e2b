// Package bqstore keeps events, claims and dead letters in BigQuery, in tables
// that a team can query.
//
// # What the promises stand on
//
// BigQuery has no unique keys, and statements that only insert do not conflict
// with each other. What it takes only once is the ID of a job, for six months
// (https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid). So each
// claimed key has a log of rows numbered from 1, and row n is inserted by a job whose
// ID is made from the key and n: of any number of writers one gets slot n, and who
// is refused reads the log again. The slots are taken one after another, so the last
// row is the state, every reader sees the same one, and the number of a claim's row
// is its fencing token.
//
// A refused writer may have been refused because of its own request, sent again
// after a lost answer: a nonce in the job's labels tells. A slot whose job failed
// is burned, one whose row has expired is used up: the next is taken. The ID also
// holds the table's incarnation, a label and its creation time, because dropping a
// table frees no IDs; and each write asks whether that is still the table's.
//
// Such a job takes seconds. Events are appended by tabledata.insertAll instead, whose
// rows can be queried once they are acknowledged
// (https://cloud.google.com/bigquery/docs/streaming-data-into-bigquery#dataavailability). Different contents for one key
// and source are agreed on in two rounds of appending and reading, and only where
// they were written at the same moment, by a slot of a log.
//
// Leases end by BigQuery's clock: a row has the length of the lease, and is compared
// with its age when it is read.
//
// docs/bigquery.md has the reasons, the limits and the cost.
package bqstore
