package letters

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/publish"
)

// Subscription is the letters that wait in a subscription to a topic of dead letters. A letter
// is called by its message's ID. Looking at letters takes them from other subscribers until
// Close. It is for one caller at a time.
type Subscription struct {
	client *pubsub.Client
	name   string
	taken  map[string]held // the messages that were pulled, by ID
	order  []driver.LetterRef
	again  int  // how many messages have come again, since one that is new
	all    bool // all that there are were pulled
}

// held is a message that was pulled.
type held struct {
	ack   string    // what acknowledges it
	until time.Time // when it may go to another subscriber
}

var _ driver.LetterBox = (*Subscription)(nil)

var subscriptionName = regexp.MustCompile(`^projects/([^/]+)/subscriptions/[^/]+$`)

// OpenSubscription returns the letters of a subscription, as in
// projects/my-project/subscriptions/my-subscription. It makes no request.
func OpenSubscription(ctx context.Context, name string, opts ...option.ClientOption) (*Subscription, error) {
	match := subscriptionName.FindStringSubmatch(name)
	if match == nil {
		return nil, fmt.Errorf("a subscription is named as in projects/my-project/subscriptions/my-subscription; this is %q", name)
	}
	client, err := pubsub.NewClient(ctx, match[1], opts...)
	if err != nil {
		return nil, fmt.Errorf("subscription %s: %w", name, err)
	}
	return &Subscription{client: client, name: name, taken: make(map[string]held)}, nil
}

const (
	// pullWithin is how long a pull waits for messages. Then there are none.
	pullWithin = 3 * time.Second
	// holdFor is how long messages are held that were pulled: the longest that Pub/Sub allows.
	holdFor = 10 * time.Minute
	// pullAtOnce bounds what is held of messages, which may have 10 MB each.
	pullAtOnce = 20
	// giveBackWithin bounds Close.
	giveBackWithin = 10 * time.Second
	// perRequest is how many messages a request gives back.
	perRequest = 1000
)

// ListLetters implements [driver.LetterBox]. All letters are in one page. It returns when none has
// come for some seconds.
func (s *Subscription) ListLetters(ctx context.Context, q driver.LetterQuery) (driver.LetterPage, error) {
	if q.Cursor != "" {
		return driver.LetterPage{}, driver.Permanent(errors.New("a subscription has one page, and no cursor"))
	}
	for !s.all {
		if _, err := s.pull(ctx, ""); err != nil {
			return driver.LetterPage{}, err
		}
	}
	page := driver.LetterPage{}
	for _, l := range s.order {
		if _, kept := s.taken[l.Ref]; kept {
			page.Letters = append(page.Letters, l)
		}
	}
	return page, nil
}

// pull takes some messages. It returns the one with that ID, if it is among them.
func (s *Subscription) pull(ctx context.Context, id string) (found *pubsubpb.PubsubMessage, err error) {
	within, cancel := context.WithTimeout(ctx, pullWithin)
	defer cancel()
	answer, err := s.client.SubscriptionAdminClient.Pull(within, &pubsubpb.PullRequest{Subscription: s.name, MaxMessages: pullAtOnce})
	if err != nil && within.Err() != nil && ctx.Err() == nil || status.Code(err) == codes.DeadlineExceeded && ctx.Err() == nil {
		answer, err = nil, s.reach(ctx) // there are none, if Pub/Sub was there
	}
	if err != nil {
		return nil, fmt.Errorf("subscription %s: %w", s.name, err)
	}
	until, err := s.hold(ctx, answer.GetReceivedMessages())
	if err != nil {
		return nil, err
	}
	for _, r := range answer.GetReceivedMessages() {
		m := r.Message
		s.again++
		if _, again := s.taken[m.MessageId]; !again {
			s.again = 0
			d, _ := publish.ParseLetter(nil, m.Attributes)
			s.order = append(s.order, driver.LetterRef{Ref: m.MessageId, Reason: d.Reason, Key: d.Key, Source: d.Source, ID: d.ID,
				Added: m.PublishTime.AsTime()})
		}
		s.taken[m.MessageId] = held{r.AckId, until}
		if m.MessageId == id {
			found = m
		}
	}
	// Those whose time is over come again, before others or after. Once all of them have, there are no others.
	s.all = len(answer.GetReceivedMessages()) == 0 || s.again > len(s.taken)
	return found, nil
}

// reach returns an error unless Pub/Sub answers. An answer is also that the caller, who may pull, may
// not look at the subscription.
func (s *Subscription) reach(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, pullWithin)
	defer cancel()
	request := &pubsubpb.GetSubscriptionRequest{Subscription: s.name}
	_, err := s.client.SubscriptionAdminClient.GetSubscription(within, request)
	if err != nil && status.Code(err) != codes.PermissionDenied {
		return fmt.Errorf("Pub/Sub does not answer, so there may be letters: %w", err)
	}
	return nil
}

// hold keeps messages that were pulled from other subscribers, and says until when.
func (s *Subscription) hold(ctx context.Context, messages []*pubsubpb.ReceivedMessage) (until time.Time, err error) {
	if len(messages) == 0 {
		return time.Time{}, nil
	}
	until = time.Now().Add(holdFor)
	request := &pubsubpb.ModifyAckDeadlineRequest{Subscription: s.name, AckDeadlineSeconds: int32(holdFor / time.Second)}
	for _, m := range messages {
		request.AckIds = append(request.AckIds, m.AckId)
	}
	if err := s.client.SubscriptionAdminClient.ModifyAckDeadline(ctx, request); err != nil {
		return time.Time{}, fmt.Errorf("subscription %s: hold messages: %w", s.name, err)
	}
	return until, nil
}

// find pulls until it has the message. Its data is not kept, so one that was pulled before is
// given back first.
func (s *Subscription) find(ctx context.Context, id string) (*pubsubpb.PubsubMessage, error) {
	if err := s.giveBack(ctx); err != nil {
		return nil, err
	}
	for !s.all {
		m, err := s.pull(ctx, id)
		if m != nil || err != nil {
			return m, err
		}
	}
	return nil, fmt.Errorf("subscription %s: message %.80q: %w", s.name, id, driver.ErrNotFound)
}

// ReadLetter implements [driver.LetterBox]. A letter of which a part was left out is refused where the
// event store has the whole.
func (s *Subscription) ReadLetter(ctx context.Context, ref string) (driver.DeadLetter, error) {
	m, err := s.find(ctx, ref)
	if err != nil {
		return driver.DeadLetter{}, err
	}
	d, leftOut := publish.ParseLetter(m.Data, m.Attributes)
	if leftOut != "" && !d.Cut {
		return d, driver.Permanent(fmt.Errorf("message %s lacks its %s, which did not fit: look for the whole letter in the "+
			"event store", ref, leftOut))
	}
	return d, nil
}

// DeleteLetter implements [driver.LetterBox]: it acknowledges the message. One that another
// subscriber may have meanwhile is pulled again first.
func (s *Subscription) DeleteLetter(ctx context.Context, ref string) error {
	if time.Until(s.taken[ref].until) < time.Minute {
		if _, err := s.find(ctx, ref); err != nil {
			return err
		}
	}
	if err := s.client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: s.name,
		AckIds: []string{s.taken[ref].ack}}); err != nil {
		return fmt.Errorf("subscription %s: message %s: acknowledge: %w", s.name, ref, err)
	}
	delete(s.taken, ref)
	return nil
}

// giveBack lets other subscribers have the messages that were pulled.
func (s *Subscription) giveBack(ctx context.Context) error {
	var acks []string
	for _, m := range s.taken {
		acks = append(acks, m.ack)
	}
	s.taken, s.order, s.again, s.all = make(map[string]held), nil, 0, false
	for len(acks) > 0 {
		n := min(len(acks), perRequest)
		err := s.client.SubscriptionAdminClient.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: s.name,
			AckIds: acks[:n]})
		if err != nil {
			return fmt.Errorf("subscription %s: give messages back: %w", s.name, err)
		}
		acks = acks[n:]
	}
	return nil
}

// Close gives the messages back that are not deleted.
func (s *Subscription) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), giveBackWithin)
	defer cancel()
	return errors.Join(s.giveBack(ctx), s.client.Close())
}
