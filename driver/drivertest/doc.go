// Package drivertest tests pipelines and stores: [Pipeline] tries a pipeline in every order of
// its events, with duplicates, failures and crashes; the conformance suite holds a store against
// its contract; and [Faults] makes any store fail at will.
//
// The suite has one subtest for each sentence of the contracts in package
// driver, named by the sentence. A store's own test says how to open it, and is
// done:
//
//	func TestStore(t *testing.T) {
//		h := drivertest.Harness[*mystore.Store]{
//			Open: func(t *testing.T) *mystore.Store { … }, // new and empty
//			Again: func(t *testing.T, s *mystore.Store) *mystore.Store { … }, // as another process sees s
//		}
//		drivertest.TestEventStore(t, h)
//		drivertest.TestClaimStore(t, h)
//		drivertest.TestDeadLetterStore(t, h, (*mystore.Store).DeadLetters)
//	}
//
// [Faults] wraps a store for tests of what is built on it: it fails operations
// before they are done, loses the answers of those that were, delays them, and
// counts them.
package drivertest
