package publish

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/semaphore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/eventdriver/driver"
)

// The limits of Pub/Sub that matter here: https://cloud.google.com/pubsub/quotas.
const (
	maxAttributes  = 100
	maxName        = 256  // bytes
	maxValue       = 1024 // bytes
	maxOrderingKey = 1024 // bytes
	maxMessage     = 10_000_000
	// framing is what of a message is neither data nor attributes, at most.
	framing = 4096
	// maxOutstanding is how many bytes may be under way to a topic: two of the largest
	// messages. They are held twice, as they are and as they are sent.
	maxOutstanding = 2 * maxMessage
	// publishWithin bounds one message's tries.
	publishWithin = 30 * time.Second
	// keepAlive is how long a connection may be idle before it is tried, as package pubsub has it.
	keepAlive = 5 * time.Minute
)

// topicName is a topic's full name. To compile it takes a third of a millisecond of each start, and most functions have
// no topic.
var topicName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^projects/[A-Za-z0-9][-A-Za-z0-9._:]*/topics/[A-Za-z][-A-Za-z0-9._~+%]{2,254}$`)
})

// CheckTopic returns an error that says what a topic's name looks like, unless
// name is one.
func CheckTopic(name string) error {
	if !topicName().MatchString(name) {
		return fmt.Errorf("a topic is named as in projects/my-project/topics/my-topic; this is %q", name)
	}
	return nil
}

// Topic is a topic to publish to. Open it with [Open]. It is safe for concurrent
// use.
//
// It sends each message by itself, as soon as there is room for it, and not in batches:
// few events are handled at once, and each is waited for. A caller that gives up waiting takes
// its message back. So while Pub/Sub does not answer, nothing is held but what callers
// still wait for, and no more of it is under way than 20 MB. Of ordering keys nothing is
// kept: a failure of one message has no effect on the next one of its key. So the generated client is enough. Package
// pubsub, which is built on it, brings OpenCensus with it, which takes half a millisecond of each start.
type Topic struct {
	client *pubsub.TopicAdminClient
	room   *semaphore.Weighted // bytes
	name   string
}

// Open returns the topic of that name, in the form projects/PROJECT/topics/TOPIC.
// It makes no request: that the topic exists is found out by publishing.
func Open(ctx context.Context, name string, opts ...option.ClientOption) (*Topic, error) {
	if err := CheckTopic(name); err != nil {
		return nil, err
	}
	opts = append([]option.ClientOption{
		option.WithGRPCConnectionPool(1), // it carries far more than one instance publishes
		option.WithGRPCDialOption(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepAlive})),
	}, opts...)
	client, err := pubsub.NewTopicAdminClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", name, err)
	}
	return &Topic{client: client, room: semaphore.NewWeighted(maxOutstanding), name: name}, nil
}

// Close closes the connection. Messages that are under way fail.
func (t *Topic) Close() error { return t.client.Close() }

// publish returns when Pub/Sub has confirmed the message, or with the reason why
// it has not. A message that Pub/Sub refuses as such is a permanent error.
func (t *Topic) publish(ctx context.Context, m *pubsubpb.PubsubMessage) error {
	size := int64(proto.Size(m) + framing)
	if size > maxMessage {
		return driver.Reject(driver.ReasonTooLarge, fmt.Errorf("topic %s: a message of %d bytes: Pub/Sub takes %d", t.name, size, maxMessage))
	}
	if err := t.room.Acquire(ctx, size); err != nil {
		return fmt.Errorf("topic %s: not published, others were under way: %w", t.name, err)
	}
	defer t.room.Release(size)
	within, cancel := context.WithTimeout(ctx, publishWithin)
	defer cancel()
	confirmed, err := t.client.Publish(within, &pubsubpb.PublishRequest{
		Topic: t.name, Messages: []*pubsubpb.PubsubMessage{m}})
	switch {
	case err == nil && len(confirmed.GetMessageIds()) != 1: // whoever has answered
		return fmt.Errorf("topic %s: not published: the answer has no ID of the message", t.name)
	case err == nil:
		return nil
	case status.Code(err) == codes.InvalidArgument:
		return driver.Permanent(fmt.Errorf("topic %s refused the message: %w", t.name, err))
	case ctx.Err() != nil:
		return fmt.Errorf("topic %s: not published: %w (%v)", t.name, ctx.Err(), err)
	}
	return fmt.Errorf("topic %s: not published: %w", t.name, err)
}
