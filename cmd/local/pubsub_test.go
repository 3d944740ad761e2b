package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"

	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/proof/instances"
)

// withGcloud leaves a test out where Google's emulator can't be started.
func withGcloud(t *testing.T) (variables []string) {
	t.Helper()
	prove.Only(t, "starts Google's Pub/Sub emulator")
	for _, program := range []string{"gcloud", "java"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("Google's Pub/Sub emulator needs %s, which is not installed", program)
		}
	}
	return []string{"PATH=" + os.Getenv("PATH"), "EVENT_SOURCES=paid,packed"}
}

func TestDemoThroughGooglesEmulator(t *testing.T) {
	output, err := command(t, withGcloud(t), "-demo", "-pubsub", "-instances", "2").CombinedOutput()
	if err != nil || !strings.HasSuffix(string(output), "demo: 28 orders, 28 processed once, 0 lost, 0 doubled, 2 dead-lettered\n") {
		t.Errorf("%v\n%s", err, output)
	}
}

// Another program publishes to the emulator's topics. An event that fails for good is in the topic
// of dead letters. When the local run is killed, the emulator ends.
func TestOthersPublishToGooglesEmulator(t *testing.T) {
	local := serving(t, withGcloud(t), "-pubsub")
	host := regexp.MustCompile(`emulator is at ([0-9.:]+),`).FindStringSubmatch(local.until(t, "emulator is at"))[1]
	t.Setenv("PUBSUB_EMULATOR_HOST", host)
	client, err := pubsub.NewClient(t.Context(), "local")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, topic := range []string{"paid", "packed"} {
		p := client.Publisher("projects/local/topics/" + topic)
		defer p.Stop()
		message := &pubsub.Message{Data: []byte(`{"n":1}`), Attributes: map[string]string{"key": "order-1"}}
		if _, err := p.Publish(t.Context(), message).Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Publish(t.Context(), &pubsub.Message{Data: []byte("no key")}).Get(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	local.until(t, instances.Acted)
	letters := client.Subscriber("projects/local/subscriptions/dead-letters")
	reasons := make(chan string)
	go func() {
		_ = letters.Receive(t.Context(), func(_ context.Context, m *pubsub.Message) {
			m.Ack()
			reasons <- m.Attributes["reason"]
		})
	}()
	if reason := <-reasons; reason != "no-key" {
		t.Errorf("the letter's reason is %q, want no-key", reason)
	}
	if err := local.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = local.Wait()                             // it was killed
	for range time.Tick(50 * time.Millisecond) { // until nobody listens
		connection, err := net.Dial("tcp", host)
		if err != nil {
			break
		}
		connection.Close()
	}
}
