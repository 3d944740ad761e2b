package publish

import (
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"example.com/eventdriver/driver"
)

// Limit returns l with another limit of bytes for a message, since pstest takes no more
// than 4 MB.
func (l *Letters) Limit(bytes int) *Letters {
	other := *l
	other.limit = bytes
	return &other
}

// LetterMessage is the message of a letter, without its being sent.
func LetterMessage(d driver.DeadLetter) *pubsubpb.PubsubMessage {
	return letterMessage(d, maxMessage-reserved)
}
