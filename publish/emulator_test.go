package publish_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/publish"
	"example.com/eventdriver/stores/memstore"
)

// emulator starts Google's Pub/Sub emulator, or skips the test where it is not
// installed, and returns a client of it.
func emulator(t *testing.T) *pubsub.Client {
	t.Helper()
	prove.Only(t, "starts Google's Pub/Sub emulator")
	for _, program := range []string{"gcloud", "java"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("Google's Pub/Sub emulator needs %s, which is not installed", program)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("gcloud", "--quiet", "beta", "emulators", "pubsub", "start", "--host-port="+addr, "--project=p", "--data-dir="+t.TempDir())
	cmd.Env = append(os.Environ(), "CLOUDSDK_CORE_DISABLE_PROMPTS=1", "CLOUDSDK_CONFIG="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // gcloud starts java, which must end with it
	if err := cmd.Start(); err != nil {
		t.Skipf("gcloud can't be run: %v", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	awaitPort(t, addr, exited)
	t.Setenv("PUBSUB_EMULATOR_HOST", addr)
	client, err := pubsub.NewClient(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// awaitPort waits until something listens at addr, or the emulator is gone.
func awaitPort(t *testing.T, addr string, exited <-chan error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return
		}
		select {
		case err := <-exited:
			t.Skipf("the Pub/Sub emulator is not installed, or does not start: %v", err)
		case <-deadline:
			t.Fatal("the Pub/Sub emulator does not listen")
		case <-tick.C:
		}
	}
}

func TestGooglesEmulatorTakesWhatIsPublished(t *testing.T) {
	client := emulator(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := client.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: topicName}); err != nil {
		t.Fatal(err)
	}
	subscription := &pubsubpb.Subscription{Name: "projects/p/subscriptions/test-subscription", Topic: topicName, EnableMessageOrdering: true, AckDeadlineSeconds: 60}
	if _, err := client.SubscriptionAdminClient.CreateSubscription(ctx, subscription); err != nil {
		t.Fatal(err)
	}

	topic := open(t)
	pipeline := driver.New(cache.New(memstore.New()), publish.NewOutput(topic))
	if err := pipeline.Process(ctx, joined("order-1")); err != nil {
		t.Fatal(err)
	}
	letter := driver.DeadLetter{Reason: driver.ReasonNoKey, Header: map[string][]string{"Ce-Id": {"7"}}, Body: []byte("body")}
	if err := publish.NewLetters(topic, nil).AddDeadLetter(ctx, letter); err != nil {
		t.Fatal(err)
	}

	// As large as letters are sent: it fits.
	large := driver.DeadLetter{Reason: driver.ReasonTooOld, Header: map[string][]string{"Ce-Id": {"8"}}, Body: make([]byte, 9_700_000)}
	if err := publish.NewLetters(topic, nil).AddDeadLetter(ctx, large); err != nil {
		t.Fatal(err)
	}

	received := make(map[string]*pubsubpb.PubsubMessage) // by ce-id
	for len(received) < 3 {
		answer, err := client.SubscriptionAdminClient.Pull(ctx, &pubsubpb.PullRequest{Subscription: subscription.Name, MaxMessages: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range answer.ReceivedMessages {
			received[r.Message.Attributes["ce-id"]] = r.Message
		}
	}
	if m := received["composed-event/order-1"]; m == nil || m.OrderingKey != "order-1" || m.Attributes["ce-fencingtoken"] != "1" {
		t.Errorf("the joined message came as %v", m)
	}
	if m := received["8"]; m == nil || len(m.Data) != len(large.Body) || m.Attributes["left-out"] != "" {
		t.Errorf("the large letter came with %d bytes, %v", len(m.GetData()), m.GetAttributes())
	}
	if m := received["7"]; m == nil || m.Attributes["reason"] != "no-key" || string(m.Data) != "body" {
		t.Errorf("the dead letter came as %v", m)
	}
}
