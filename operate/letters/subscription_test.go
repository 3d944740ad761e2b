package letters

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/publish"
)

const (
	topicName = "projects/p/topics/dead-letters"
	subName   = "projects/p/subscriptions/dead-letters"
)

// newTopic returns a topic of a fake Pub/Sub that has a subscription.
func newTopic(t *testing.T, options ...pstest.ServerReactorOption) *publish.Topic {
	t.Helper()
	server := pstest.NewServer(options...)
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("PUBSUB_EMULATOR_HOST", server.Addr)
	_, errTopic := server.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topicName})
	_, errSub := server.GServer.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: subName, Topic: topicName, AckDeadlineSeconds: 60})
	topic, err := publish.Open(t.Context(), topicName)
	if err := errors.Join(errTopic, errSub, err); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = topic.Close() })
	return topic
}

// openLetters opens the subscription as a command would. The fake answers within half a second where
// there are no messages.
func openLetters(t *testing.T) *Subscription {
	t.Helper()
	s, err := OpenSubscription(t.Context(), subName)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSubscription: letters are listed, read and deleted, and given back for the next.
func TestSubscription(t *testing.T) {
	topic := newTopic(t)
	const n = 2*pullAtOnce + 5
	for i := range n {
		d := driver.DeadLetter{Reason: driver.ReasonConflict, Key: fmt.Sprint("order-", i), ID: fmt.Sprint(i), Source: "event1",
			Header: map[string][]string{"Ce-Id": {fmt.Sprint(i)}, "Ce-Odd": {"a%20b"}, "Content-Type": {"text/plain"}}, Body: fmt.Append(nil, "body ", i)}
		if err := publish.NewLetters(topic, nil).AddDeadLetter(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	s := openLetters(t)
	l, err := Find(t.Context(), s, Query{Limit: n})
	if err != nil || l.Found != n || len(l.Letters) != n {
		t.Fatalf("found %d, %v", l.Found, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	refs := make(map[string]string) // by event
	for _, d := range l.Letters {
		refs[d.ID] = d.Ref
		if d.Reason != driver.ReasonConflict || d.Key != "order-"+d.ID || d.Source != "event1" || d.Added == nil {
			t.Errorf("%+v", d)
		}
	}
	s = openLetters(t)
	for _, id := range []string{"0", "44", "7"} {
		d, err := s.ReadLetter(t.Context(), refs[id])
		if err != nil || d.ID != id || string(d.Body) != "body "+id || d.Header["ce-id"][0] != id || d.Header["ce-odd"][0] != "a%20b" ||
			d.Header["Content-Type"][0] != "text/plain" {
			t.Errorf("letter %s: %+v, %v", id, d, err)
		}
		if err := s.DeleteLetter(t.Context(), refs[id]); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.ReadLetter(t.Context(), refs["7"]); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("read of what was deleted: %v", err)
	}
	if err := errors.Join(s.DeleteLetter(t.Context(), refs["9"]), s.Close()); err != nil {
		t.Error(err)
	}
	s = openLetters(t)
	defer s.Close()
	if l, err := Find(t.Context(), s, Query{}); err != nil || l.Found != n-4 {
		t.Errorf("left %d, %v", l.Found, err)
	}
	if err := s.DeleteLetter(t.Context(), "no such letter"); !errors.Is(err, driver.ErrNotFound) {
		t.Error(err)
	}
}

// TestSubscriptionLeavesWhatIsNotWhole: a letter of which a part is elsewhere can't be sent from here.
func TestSubscriptionLeavesWhatIsNotWhole(t *testing.T) {
	topic := newTopic(t)
	d := driver.DeadLetter{Reason: driver.ReasonConflict, Header: map[string][]string{"Ce-Long": {strings.Repeat("x", 2000)}}}
	if err := publish.NewLetters(topic, nil).AddDeadLetter(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	s := openLetters(t)
	defer s.Close()
	l, err := Find(t.Context(), s, Query{Limit: 1})
	if err != nil || l.Found != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	if _, err := s.ReadLetter(t.Context(), l.Letters[0].Ref); err == nil || !strings.Contains(err.Error(), "lacks its headers") {
		t.Errorf("error %v", err)
	}
	if _, err := (Topic{topic}).Send(t.Context(), d); !driver.IsPermanent(err) {
		t.Errorf("published what is not whole: %v", err)
	}
}

// TestSubscriptionHasACutLetter: the whole is nowhere, so what there is can be looked at, and is not sent.
func TestSubscriptionHasACutLetter(t *testing.T) {
	topic := newTopic(t)
	d := driver.DeadLetter{Reason: driver.ReasonUndecodable, Body: []byte("the begin"), Cut: true}
	if err := publish.NewLetters(topic, nil).AddDeadLetter(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	s := openLetters(t)
	defer s.Close()
	l, err := Find(t.Context(), s, Query{Limit: 1})
	if err != nil || l.Found != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	read, err := s.ReadLetter(t.Context(), l.Letters[0].Ref)
	if err != nil || !read.Cut || string(read.Body) != "the begin" {
		t.Errorf("%+v, %v", read, err)
	}
	if _, err := (Topic{topic}).Send(t.Context(), read); !driver.IsPermanent(err) {
		t.Errorf("published the beginning of an event: %v", err)
	}
}

// TestSubscriptionOutOfReach: nothing but an answer says that there are no letters.
func TestSubscriptionOutOfReach(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PUBSUB_EMULATOR_HOST", listener.Addr().String())
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s := openLetters(t)
	defer s.Close()
	if l, err := Find(t.Context(), s, Query{}); err == nil || !strings.Contains(err.Error(), "there may be letters") {
		t.Errorf("%+v, %v", l, err)
	}
}

// reaction answers requests of a fake Pub/Sub.
type reaction func(request any) any

func (r reaction) React(request any) (bool, any, error) { return true, r(request), nil }

// TestSubscriptionWithoutAnswers: a pull that gets no answer says that there are no letters, if Pub/Sub
// answers, whatever it does.
func TestSubscriptionWithoutAnswers(t *testing.T) {
	for get, want := range map[codes.Code]bool{codes.OK: true, codes.PermissionDenied: true, codes.NotFound: false} {
		newTopic(t, pstest.WithErrorInjection("Pull", codes.DeadlineExceeded, "none has come"),
			pstest.ServerReactorOption{FuncName: "GetSubscription", Reactor: refusal(get)})
		s := openLetters(t)
		if l, err := Find(t.Context(), s, Query{}); (err == nil) != want {
			t.Errorf("look: %v: %+v, %v", get, l, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func received(id, ack string) []*pubsubpb.ReceivedMessage {
	return []*pubsubpb.ReceivedMessage{{AckId: ack, Message: &pubsubpb.PubsubMessage{MessageId: id}}}
}

type refusal codes.Code

func (r refusal) React(any) (bool, any, error) {
	return true, &pubsubpb.Subscription{}, status.Error(codes.Code(r), "refused")
}

// TestSubscriptionOfLettersThatComeAgain: those that come again are no end of the list, messages are held,
// and one that was held too long is pulled again before it is deleted.
func TestSubscriptionOfLettersThatComeAgain(t *testing.T) {
	pulls := [][]string{{"1", "a"}, {"1", "b"}, {"2", "c"}, {}, {"1", "d"}} // ID, and what acknowledges it
	var holds []string
	var acks []string
	newTopic(t, pstest.ServerReactorOption{FuncName: "Pull", Reactor: reaction(func(any) any {
		answer := &pubsubpb.PullResponse{}
		if len(pulls) > 0 && len(pulls[0]) > 0 {
			answer.ReceivedMessages = received(pulls[0][0], pulls[0][1])
		}
		pulls = pulls[min(1, len(pulls)):]
		return answer
	})}, pstest.ServerReactorOption{FuncName: "ModifyAckDeadline", Reactor: reaction(func(request any) any {
		if r := request.(*pubsubpb.ModifyAckDeadlineRequest); r.AckDeadlineSeconds == 600 {
			holds = append(holds, r.AckIds...)
		}
		return &emptypb.Empty{}
	})}, pstest.ServerReactorOption{FuncName: "Acknowledge", Reactor: reaction(func(request any) any {
		acks = append(acks, request.(*pubsubpb.AcknowledgeRequest).AckIds...)
		return &emptypb.Empty{}
	})})
	s := openLetters(t)
	defer s.Close()
	if l, err := Find(t.Context(), s, Query{}); err != nil || l.Found != 2 || !slices.Equal(holds, []string{"a", "b", "c"}) {
		t.Fatalf("%+v, %v; held %q", l, err, holds)
	}
	s.taken["1"] = held{"b", time.Now()}
	if err := errors.Join(s.DeleteLetter(t.Context(), "1"), s.Close()); err != nil || !slices.Equal(acks, []string{"d"}) {
		t.Errorf("%v; acknowledged %q", err, acks)
	}
}

// TestSubscriptionEnds: a list does not go on for ever, if all come again and again.
func TestSubscriptionEnds(t *testing.T) {
	newTopic(t, pstest.ServerReactorOption{FuncName: "Pull", Reactor: reaction(func(any) any {
		return &pubsubpb.PullResponse{ReceivedMessages: received("1", "1:1")}
	})})
	s := openLetters(t)
	defer s.Close()
	if l, err := Find(t.Context(), s, Query{}); err != nil || l.Found != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestSubscriptionNames(t *testing.T) {
	for _, name := range []string{"", "s", "projects/p/topics/t", "projects//subscriptions/s", "projects/p/subscriptions/s/t"} {
		if _, err := OpenSubscription(t.Context(), name); err == nil || !strings.Contains(err.Error(), "projects/my-project") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
