// Package pubsub has a local run's events go through the real Pub/Sub emulator, whose
// subscriptions push them as Eventarc's do.
package pubsub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/eventdriver/cmd/local/internal/events"
)

// The names of what is made.
const (
	Project                = "local"
	DeadLetterTopic        = "projects/" + Project + "/topics/dead-letters"
	DeadLetterSubscription = "projects/" + Project + "/subscriptions/dead-letters"
)

// ackDeadline is that of the subscriptions that Eventarc makes.
const ackDeadline = 10 // seconds

// Forward delivers a message of a topic to the function, as Eventarc does. The error is nil if
// the function acknowledges it.
type Forward func(ctx context.Context, topic string, attempt int, push []byte) (status int, err error)

// Bus publishes events to topics of the emulator, and takes what their subscriptions push. Open
// it with [Open]; it is safe for concurrent use.
type Bus struct {
	client  *pubsub.Client
	forward Forward
	server  *http.Server
	serving sync.WaitGroup
	address string

	mu        sync.Mutex
	topics    map[string]*pubsub.Publisher // by the short name
	attempts  map[string]int               // by the ID of a message that is not acknowledged yet
	sending   int                          // messages whose IDs are not known yet
	early     map[string]bool              // IDs that were acknowledged while some were not known
	pending   map[string]bool              // IDs that are not acknowledged
	unpending chan struct{}                // closed when one is
}

// Config says what a bus has.
type Config struct {
	Topics          []string // their short names; each has a subscription that pushes
	DeadLetterTopic string   // the full name; it has the subscription [DeadLetterSubscription]
	OutputTopic     string   // the full name; "": none
	Forward         Forward
}

// Open opens a bus on the emulator at PUBSUB_EMULATOR_HOST, and makes what is not there.
func Open(ctx context.Context, config Config) (*Bus, error) {
	client, err := pubsub.NewClient(ctx, Project)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	b := &Bus{client: client, forward: config.Forward, address: listener.Addr().String(), topics: make(map[string]*pubsub.Publisher),
		attempts: make(map[string]int), early: make(map[string]bool), pending: make(map[string]bool), unpending: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /push/{topic}", b.pushed)
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	b.serving.Go(func() { _ = b.server.Serve(listener) }) // until Close
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := b.makeAll(ctx, config); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Bus) makeAll(ctx context.Context, config Config) error {
	for _, name := range config.Topics {
		if _, err := b.topic(ctx, name); err != nil {
			return err
		}
	}
	if config.OutputTopic != "" {
		if err := b.makeTopic(ctx, config.OutputTopic); err != nil {
			return err
		}
	}
	return b.make(ctx, &pubsubpb.Subscription{Name: DeadLetterSubscription, Topic: config.DeadLetterTopic, AckDeadlineSeconds: 60})
}

// Close ends the deliveries, and lets those that are under way finish.
func (b *Bus) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := b.server.Shutdown(ctx)
	b.serving.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, topic := range b.topics {
		topic.Stop()
	}
	return errors.Join(err, b.client.Close())
}

// make makes a topic and its subscription, unless they are there. A subscription of an earlier run
// pushes to where nobody listens any more, so it is made again.
func (b *Bus) make(ctx context.Context, subscription *pubsubpb.Subscription) error {
	if err := b.makeTopic(ctx, subscription.Topic); err != nil {
		return err
	}
	_, err := b.client.SubscriptionAdminClient.CreateSubscription(ctx, subscription)
	if status.Code(err) == codes.AlreadyExists && subscription.PushConfig != nil {
		err = b.client.SubscriptionAdminClient.ModifyPushConfig(ctx,
			&pubsubpb.ModifyPushConfigRequest{Subscription: subscription.Name, PushConfig: subscription.PushConfig})
	}
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("subscription %s: %w", subscription.Name, err)
	}
	return nil
}

func (b *Bus) makeTopic(ctx context.Context, name string) error {
	_, err := b.client.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: name})
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("topic %s: %w", name, err)
	}
	return nil
}

// topic returns what publishes to a topic, which it makes unless it is there.
func (b *Bus) topic(ctx context.Context, name string) (*pubsub.Publisher, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if topic := b.topics[name]; topic != nil {
		return topic, nil
	}
	full := "projects/" + Project + "/topics/" + name
	err := b.make(ctx, &pubsubpb.Subscription{Name: "projects/" + Project + "/subscriptions/eventarc-" + name, Topic: full,
		AckDeadlineSeconds: ackDeadline, PushConfig: &pubsubpb.PushConfig{PushEndpoint: "http://" + b.address + "/push/" + url.PathEscape(name)}})
	if err != nil {
		return nil, err
	}
	topic := b.client.Publisher(full)
	topic.PublishSettings.CountThreshold = 1
	b.topics[name] = topic
	return topic, nil
}

// Prepare implements [events.Bus]. An event that is sent twice is two messages.
func (b *Bus) Prepare(e events.Event) (id string, send events.Send, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	topic, err := b.topic(ctx, e.Topic)
	if err != nil {
		return "", nil, err
	}
	message := &pubsub.Message{Data: e.Content, Attributes: make(map[string]string)}
	for name, value := range e.Attributes {
		message.Attributes[name] = value
	}
	if e.Key != "" {
		message.Attributes["key"] = e.Key
	}
	if len(message.Attributes) == 0 && len(message.Data) == 0 {
		return "", nil, errors.New("Pub/Sub takes no message without data and attributes")
	}
	return "", func() (string, error) { return b.publish(topic, message) }, nil
}

func (b *Bus) publish(topic *pubsub.Publisher, m *pubsub.Message) (id string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b.mu.Lock()
	b.sending++
	b.mu.Unlock()
	id, err = topic.Publish(ctx, m).Get(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sending--
	if err == nil && !b.early[id] {
		b.pending[id] = true
	}
	if b.sending == 0 {
		clear(b.early)
	}
	return id, err
}

// Wait returns when all that this program has published is acknowledged, or the context ends.
func (b *Bus) Wait(ctx context.Context) {
	for {
		b.mu.Lock()
		left, changed := len(b.pending)+b.sending, b.unpending
		b.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// acknowledged notes that a message will not come again.
func (b *Bus) acknowledged(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.attempts, id)
	if b.sending > 0 && !b.pending[id] {
		b.early[id] = true
	}
	delete(b.pending, id)
	close(b.unpending)
	b.unpending = make(chan struct{})
}

// attempt counts the deliveries of a message.
func (b *Bus) attempt(id string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.attempts[id]++
	return b.attempts[id]
}

// Legal returns those of the names that a topic may have.
func Legal(names []string) (legal []string) {
	for _, name := range names {
		if len(name) >= 3 && len(name) <= 200 && !strings.HasPrefix(name, "goog") && !strings.ContainsFunc(name, illegal) && letter(rune(name[0])) {
			legal = append(legal, name)
		}
	}
	return legal
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func illegal(r rune) bool {
	return !letter(r) && (r < '0' || r > '9') && !strings.ContainsRune("-_.~+%", r)
}
