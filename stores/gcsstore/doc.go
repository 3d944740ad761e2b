// Package gcsstore keeps events, claims and dead letters in a Cloud Storage
// bucket.
//
// # Layout
//
//	FOLDER/HASH/KEY/events/SOURCE             one event
//	FOLDER/HASH/KEY/events/=decided/JOINER    what a join was decided on
//	FOLDER/HASH/KEY/corrected/SOURCE/…        events as they were before a person corrected them
//	FOLDER/HASH/KEY/claim                     who processes the key, until when
//	FOLDER/HASH/KEY/done                      the key is completed
//	FOLDER/HASH/KEY/scopes/SCOPE/claim, done  likewise, of a cache with a scope
//	FOLDER/deadletters/YYYY-MM-DD/REASON-….json
//	FOLDER/deadletters/=keys/KEY/…            which letters a key has
//
// HASH is two hex digits of the key's hash and spreads the load over the name
// space. KEY and SOURCE are escaped so that any string is legal and no two meet;
// what is longer than a name may be is hashed, and stands unabridged inside the
// object. Completion is an object of its own because Cloud Storage takes about
// one write a second for one name (https://cloud.google.com/storage/quotas).
//
// Objects are never deleted. Lifecycle rules on the bucket should do that, by age,
// after longer than any event is redelivered: a key's events first, then claim, then
// done and the rest, and never deadletters/. The file deploy/lifecycle.json has such
// rules. Nothing else may write below FOLDER.
//
// # What the promises stand on
//
// Cloud Storage is strongly consistent, for reads and lists after writes
// (https://cloud.google.com/storage/docs/consistency). Every write here carries
// a precondition on the generation that it replaces, or that there is none
// (https://cloud.google.com/storage/docs/request-preconditions), so of several
// writers one wins, and a request may be repeated safely. A repeated request
// whose first answer was lost is refused as if another had won: so a refusal is
// followed by a look at who did.
//
// A lease ends a given time after the server stored the claim, by the server's
// clock; whoever wants to take over compares that with a clock of its own. So
// the clocks of two instances have to agree to within the margin that the
// holder keeps: see package cache, ClockSkew.
//
// # What it costs
//
// A join of three events that arrive one after another takes 5 Class A and 9
// Class B operations, and the last event waits for 3 round trips.
package gcsstore
