// Package decode makes messages of events: it reads the CloudEvent in a request, takes it out of
// Pub/Sub messages, and finds its source, key, time and content. It knows the CloudEvents
// SDK and Google's payloads. It serves no HTTP and stores nothing: package convert does.
//
// # Requests
//
// [Request] accepts these forms of an event:
//
//   - a CloudEvent in binary mode: attributes in ce- headers, data in the body. Eventarc sends
//     this, and so does a Pub/Sub push subscription without wrapper (noWrapper with
//     writeMetadata) whose messages have ce- attributes;
//   - a CloudEvent in structured mode (application/cloudevents+json);
//   - a Pub/Sub push: {"message": {…}, "subscription": "…"}, without ce- headers.
//
// It does not accept batches (application/cloudevents-batch+json).
//
// Events are read here, and not by the SDK, because the SDK changes them: it rewrites sources
// when it parses them as URIs, and it refuses events for malformed optional attributes.
//
// # Messages
//
// [Decoder.Message] depends on the type of the event:
//
//   - Pub/Sub message (google.cloud.pubsub.topic.v1.messagePublished): the content is the
//     message's data, decoded; the source is the topic's short name. A CloudEvent inside of the
//     message is unwrapped, see below.
//   - Cloud Storage object (google.cloud.storage.object.v1.*): the content is the object's
//     metadata as JSON; the source is the bucket's name.
//   - Firestore document (google.cloud.firestore.document.v1.*): the content is the event as
//     JSON, also if it arrived as protobuf; the source is ce-source.
//   - audit log entry (google.cloud.audit.log.v1.*): the content is the event, which must be
//     JSON; the source is ce-source.
//   - Datastore entity (google.cloud.datastore.*): not supported.
//   - Knative Kafka source (dev.knative.kafka.event): the content is the data; the source is the
//     topic, the part of ce-source behind #.
//   - any other: the content is the data; the source is ce-source.
//
// A source is the text that the producer wrote. It is never parsed and written again.
//
// JSON content stays as it arrived, byte for byte, except for a byte order mark. The time is
// ce-time, or else the time of publication. A redelivered event becomes the same message, except
// for the attribute pubsub-delivery-attempt.
//
// MediaType is what the event declares: its datacontenttype; in structured mode application/json
// for data without one, and application/octet-stream for data_base64 that declares JSON, text or
// nothing (events that the SDK has read, or a program has made, are what they declare). A Pub/Sub
// message without a CloudEvent declares it by its attribute content-type, or else by its
// topic's schema (googclient_schemaencoding). MediaType is empty if nothing is declared, and if
// there is no data. Content that is not what it declares is rejected: see [Content].
//
// A malformed optional attribute is left out, with a warning: see [Warnings]. But the extensions
// key and partitionkey must be well-formed, and a time with a comma before its fraction is
// rejected.
//
// The attributes of the message are: those of a Pub/Sub message under their own names; ce-type,
// ce-source, ce-subject, and each extension as ce-NAME; and, as far as they are known,
// pubsub-message-id, pubsub-subscription, pubsub-ordering-key and pubsub-delivery-attempt.
//
// # Source
//
// A source in the context ([WithSource]) prevails over what the event says. The HTTP handler of
// package convert puts it there for requests to /events/NAME: so events are told apart that have
// the same ce-source, such as those of two triggers on one bucket, one Firestore database or one
// audit log. If the event names another source that [SourceAliases] knows, there is a warning.
//
// # Key
//
// If [KeyPointer] or [KeyPointers] is given for the event's source, the key is the value in the
// content to which it leads, and nothing else. Otherwise the key is the first of these that is
// not empty:
//
//  1. the CloudEvents extension key;
//  2. the CloudEvents extension partitionkey;
//  3. the Pub/Sub message's attribute key;
//  4. the Pub/Sub message's ordering key;
//  5. the event's subject, unless the type starts with "google.": these subjects name a resource.
//
// In binary mode the values of headers are decoded by [DecodeHeader]. The ordering key of a push
// without wrapper is unknown, since no header has it.
//
// # Wrapped events
//
// A CloudEvent that was published to Pub/Sub is unwrapped as the Pub/Sub protocol binding for
// CloudEvents says: binary mode if the message has an attribute ce-specversion, structured mode
// if its attribute content-type is application/cloudevents+json. The inner event decides the
// id, key, content and time. The attributes of the Pub/Sub message are kept.
//
// If the context names no source, the inner ce-source is the source, unless only the topic is
// known by name. With [SourceAliases], the first of these that has a name wins: the inner
// source, short or in full, then the topic, short or in full. So:
//
//   - with one topic for each source, and a publisher that puts the same ce-source into all
//     events: name the topics (an empty list of aliases is enough);
//   - with one topic for all sources: name the inner sources;
//   - without any names: the inner source is taken.
package decode
