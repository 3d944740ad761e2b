// Package publish sends what the function gives away to topics of Pub/Sub: joined
// messages ([Output]) and dead letters ([Letters]). Both return only when Pub/Sub
// has confirmed that it keeps the message, so that an event is acknowledged after
// that and never before. A confirmation that was lost has the message published
// again: whoever receives it must expect repetitions, as always with Pub/Sub.
//
// PUBSUB_EMULATOR_HOST is honoured.
package publish
