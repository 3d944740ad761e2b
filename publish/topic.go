package publish

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/eventdriver/driver"
)

// The limits of Pub/Sub that matter here: https://cloud.google.com/pubsub/quotas.
const (
	maxAttributes  = 100
	maxName        = 256  // bytes
	maxValue       = 1024 // bytes
	maxOrderingKey = 1024 // bytes
	maxMessage     = 10_000_000
	// batchWithin is how long a message waits for others to be sent with it: few
	// events are handled at once, and each is waited for.
	batchWithin = time.Millisecond
	// publishWithin bounds one message's tries, which outlive whoever waits.
	publishWithin = 30 * time.Second
)

// topicName is a topic's full name.
var topicName = regexp.MustCompile(`^projects/([A-Za-z0-9][-A-Za-z0-9._:]*)/topics/([A-Za-z][-A-Za-z0-9._~+%]{2,254})$`)

// CheckTopic returns an error that says what a topic's name looks like, unless
// name is one.
func CheckTopic(name string) error {
	if !topicName.MatchString(name) {
		return fmt.Errorf("a topic is named as in projects/my-project/topics/my-topic; this is %q", name)
	}
	return nil
}

// Topic is a topic to publish to. Open it with [Open]. It is safe for concurrent
// use.
type Topic struct {
	client    *pubsub.Client
	publisher *pubsub.Publisher
	name      string
}

// Open returns the topic of that name, in the form projects/PROJECT/topics/TOPIC.
// It makes no request: that the topic exists is found out by publishing.
func Open(ctx context.Context, name string, opts ...option.ClientOption) (*Topic, error) {
	if err := CheckTopic(name); err != nil {
		return nil, err
	}
	// One connection carries far more than one instance publishes.
	opts = append([]option.ClientOption{option.WithGRPCConnectionPool(1)}, opts...)
	client, err := pubsub.NewClient(ctx, topicName.FindStringSubmatch(name)[1], opts...)
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", name, err)
	}
	publisher := client.Publisher(name)
	publisher.EnableMessageOrdering = true
	publisher.PublishSettings.DelayThreshold = batchWithin
	publisher.PublishSettings.Timeout = publishWithin
	return &Topic{client: client, publisher: publisher, name: name}, nil
}

// Close sends what is still to be sent and closes the connection.
func (t *Topic) Close() error {
	t.publisher.Stop()
	return t.client.Close()
}

// publish returns when Pub/Sub has confirmed the message, or with the reason why
// it has not. A message that Pub/Sub refuses as such is a permanent error.
func (t *Topic) publish(ctx context.Context, m *pubsub.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("topic %s: %w", t.name, err)
	}
	_, err := t.publisher.Publish(ctx, m).Get(ctx)
	if err != nil && m.OrderingKey != "" {
		// After a failure the client refuses whatever has the same ordering key.
		// The events are delivered again, so the order that it wants to keep
		// need not be kept, but the key must not stay refused.
		t.publisher.ResumePublish(m.OrderingKey)
		if paused := (pubsub.ErrPublishingPaused{}); errors.As(err, &paused) {
			// It was another's failure: this message has not been tried.
			_, err = t.publisher.Publish(ctx, m).Get(ctx)
			if err != nil {
				t.publisher.ResumePublish(m.OrderingKey)
			}
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pubsub.ErrOversizedMessage) || status.Code(err) == codes.InvalidArgument:
		return driver.Permanent(fmt.Errorf("topic %s refused the message: %w", t.name, err))
	}
	return fmt.Errorf("topic %s: not published: %w", t.name, err)
}
