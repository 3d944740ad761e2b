// Package driver is the core of Event Driver: messages, handlers, pipelines and
// the contracts of the stores behind them. It depends on the standard library
// alone.
//
// A [Message] is one event on its way through a [Pipeline], an immutable chain
// of [Handler]s. The handlers that make events act once live in the packages
// below this one:
//
//   - transformer changes messages before they are stored;
//   - joiner keeps events in an [EventStore] and goes on when all have arrived;
//   - cache lets one holder of a [Claim] at a time process a key, and only
//     until it is completed;
//   - decode turns requests and CloudEvents into messages;
//   - convert serves events over HTTP and the SDK, and turns failures into answers;
//   - admission bounds the bytes that are held for all events at once;
//   - drivertest tries pipelines in every order, and has the conformance suite that every
//     store passes.
//
// # Failures
//
// A handler's error decides what happens to the event. nil: the event is acknowledged. An
// error: the event is delivered again, later. An error wrapped by [Permanent]: the event can
// never succeed, so it is kept as a [DeadLetter] and then acknowledged.
//
// # Configuration
//
// Constructors take options: joiner.New(condition, store, joiner.Name("orders")). Stores
// take settings instead, made by Config and changed by With methods, since New also takes
// the options of Google's clients: gcsstore.Config("my-bucket").WithFolder("orders").
package driver
