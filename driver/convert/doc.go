// Package convert is the edge between a platform and a pipeline. It receives events from HTTP
// ([ToHTTPHandler]), the Functions Framework ([ToCloudFunction]) or Knative
// ([ToKNativeEventHandler]), hands them to a pipeline as messages, and answers: the answer makes
// the platform acknowledge an event or redeliver it. Package decode makes the messages.
//
// An event that can never succeed (see [driver.Permanent]) is stored in the
// [driver.DeadLetterStore] given with [DeadLetters], and then acknowledged, because Pub/Sub
// redelivers an event after any answer but 102, 200, 201, 202 and 204, 4xx included.
package convert
