// Package convert turns CloudEvents into messages, hands them to a pipeline, and
// turns what comes of it into the answer that makes the platform acknowledge an
// event or deliver it again. It is the only package that knows the CloudEvents
// SDK and Google's event payloads.
//
// # In
//
// [CloudEventToInput] understands what Eventarc and Knative deliver; [NewInput]
// makes one with options. Requests that [ToHTTPHandler] accepts:
//
//   - a CloudEvent in binary mode: context in ce- headers, data in the body. This
//     is what Eventarc sends, and a Pub/Sub push subscription without wrapper
//     whose messages carry ce- attributes (noWrapper with writeMetadata);
//   - a CloudEvent in structured mode (application/cloudevents+json);
//   - a Pub/Sub push: {"message": {…}, "subscription": "…"}, without ce- headers.
//
// Batches (application/cloudevents-batch+json) are not accepted.
//
// # Message
//
// ID, Source, Time, Content, MediaType and Attributes of the message depend on the
// event:
//
//   - Pub/Sub message (google.cloud.pubsub.topic.v1.messagePublished): content is
//     the message's data, decoded; source is the topic's short name. A CloudEvent
//     inside the message (see below) is unwrapped.
//   - Cloud Storage object (google.cloud.storage.object.v1.*): content is the
//     object's metadata as JSON; source is the bucket's name.
//   - Firestore document (google.cloud.firestore.document.v1.*): content is the
//     event as JSON, also where it came as protobuf; source is ce-source.
//   - audit log entry (google.cloud.audit.log.v1.*): content is the event, which
//     must be JSON; source is ce-source.
//   - Datastore entity (google.cloud.datastore.*): not supported.
//   - Knative Kafka source (dev.knative.kafka.event): content is the data; source
//     is the topic, the part of ce-source behind #.
//   - any other: content is the data; source is ce-source.
//
// A source is the text that the producer wrote, never a URI that is parsed and
// written anew.
//
// JSON content stays as it came, byte for byte, but for a byte order mark. Time is
// ce-time, else the time of publication. Delivered again, an event converts to the
// same message, but for the attribute pubsub-delivery-attempt.
//
// MediaType is what the event declares: its datacontenttype, in structured mode
// application/json where there is data without one, and application/octet-stream for
// data_base64 that declares JSON, text or nothing (an event that the SDK has read or a
// program has made is what it declares); of a Pub/Sub message without a CloudEvent,
// its attribute content-type, or what the topic's schema says
// (googclient_schemaencoding). It is empty where nothing is declared, and where there
// is no data. Content that is not what it declares is rejected: see [Content].
//
// An optional attribute that is malformed is left out, with a warning. The extensions
// key and partitionkey must be well-formed, and a time with a comma before its
// fraction is refused.
//
// Attributes hold a Pub/Sub message's attributes under their own names; ce-type,
// ce-source, ce-subject, and each extension as ce-NAME; and, of a Pub/Sub message,
// pubsub-message-id, pubsub-subscription, pubsub-ordering-key and
// pubsub-delivery-attempt, as far as they are known.
//
// # Source
//
// A request to /events/NAME brings an event of the source NAME, whatever the event
// says of itself: that tells events apart that have the same ce-source, as those of
// two triggers on one bucket, one Firestore database or one audit log have. Where the
// event names another source that [SourceAliases] knows, a warning is logged. Whoever
// receives events by other means than [ToHTTPHandler] says it by [WithSource]. All
// other paths say nothing, and the source is what the event says, as above.
//
// # Key
//
// Where [KeyPointer] or [KeyPointers] are given for the event's source, the key is the
// value in the content that they point to, or there is none. Otherwise it is the first
// of these that is there and not empty:
//
//  1. the CloudEvents extension key;
//  2. the CloudEvents extension partitionkey;
//  3. the Pub/Sub message's attribute key;
//  4. the Pub/Sub message's ordering key;
//  5. the event's subject, unless the type starts with "google.", whose subjects
//     name a resource.
//
// In binary mode the values of headers are decoded as [DecodeHeader] says. Of a push
// without wrapper the ordering key is not known, since no header has it.
//
// # Wrapped events
//
// A CloudEvent that was published to Pub/Sub is unwrapped, as the Pub/Sub protocol
// binding for CloudEvents says: binary mode where the message has an attribute
// ce-specversion, structured mode where its content-type attribute is
// application/cloudevents+json. The inner event decides on id, key, content and
// time; the attributes of the Pub/Sub message are kept.
//
// Where no path names the source, the inner ce-source decides about it, unless only the
// topic is known by name. With [SourceAliases], whatever of these is named there first wins: the
// inner source, short or in full, then the topic, short or in full. Somebody with
// one topic for each source, whose publisher puts the same ce-source into all
// events, names the topics (an empty list of aliases will do); somebody with one
// topic for all sources names the inner sources; and without any names the inner
// source is taken.
//
// # Out
//
// An event that can never succeed (see [driver.Permanent]) is set aside in the
// [driver.DeadLetterStore] given with [DeadLetters], and then acknowledged,
// because Pub/Sub delivers an event again on any answer but 102, 200, 201, 202
// and 204, 4xx included.
package convert
