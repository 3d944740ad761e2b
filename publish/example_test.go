package publish_test

import (
	"context"
	"fmt"
	"log"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/publish"
	"example.com/eventdriver/stores/memstore"
)

// exampleTopic opens a topic of Google's fake of Pub/Sub. A program of yours needs no options.
func exampleTopic(ctx context.Context) (topic *publish.Topic, server *pstest.Server) {
	server = pstest.NewServer()
	const name = "projects/my-project/topics/shipped"
	if _, err := server.GServer.CreateTopic(ctx, &pubsubpb.Topic{Name: name}); err != nil {
		log.Fatal(err)
	}
	topic, err := publish.Open(ctx, name,
		option.WithEndpoint(server.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		log.Fatal(err)
	}
	return topic, server
}

// Open makes no request: that there is no such topic is found out by publishing.
func ExampleOpen() {
	topic, server := exampleTopic(context.Background())
	defer server.Close()
	defer topic.Close()

	_, err := publish.Open(context.Background(), "shipped")
	fmt.Println(err)
	// Output:
	// a topic is named as in projects/my-project/topics/my-topic; this is "shipped"
}

func ExampleCheckTopic() {
	fmt.Println(publish.CheckTopic("projects/my-project/topics/shipped"))
	fmt.Println(publish.CheckTopic("shipped"))
	// Output:
	// <nil>
	// a topic is named as in projects/my-project/topics/my-topic; this is "shipped"
}

// What was acted upon is published, once for each key.
func ExampleNewOutput() {
	ctx := context.Background()
	topic, server := exampleTopic(ctx)
	defer server.Close()
	defer topic.Close()
	business := driver.JSON(func(_ context.Context, key string, order map[string]any) error {
		fmt.Println("ship", key)
		return nil
	})
	pipeline := driver.New(cache.New(memstore.New()), business, publish.NewOutput(topic))

	for range 2 {
		m := driver.Message{ID: "1", Key: "order-1", Source: "event1", Content: []byte(`{"item":"book"}`)}
		if err := pipeline.Process(ctx, m); err != nil {
			fmt.Println(err)
		}
	}
	for _, m := range server.Messages() {
		about := m.Attributes
		fmt.Printf("%s, %s, token %s: %s\n", about["ce-type"], about["ce-key"], about["ce-fencingtoken"], m.Data)
	}
	// Output:
	// ship order-1
	// dev.eventdriver.joined.v1, order-1, token 1: {"item":"book"}
}

// Who receives the message learns which region has joined it.
func ExampleAttributes() {
	ctx := context.Background()
	topic, server := exampleTopic(ctx)
	defer server.Close()
	defer topic.Close()
	output := publish.NewOutput(topic, publish.Attributes(func(context.Context) map[string]string {
		return map[string]string{"region": "europe-west3"}
	}))

	if err := driver.New(output).Process(ctx, driver.Message{ID: "1", Key: "order-1", Source: "event1"}); err != nil {
		fmt.Println(err)
	}
	for _, m := range server.Messages() {
		fmt.Println(m.Attributes["ce-key"], m.Attributes["region"])
	}
	// Output:
	// order-1 europe-west3
}

// Dead letters go to a topic, and those that do not fit into a message to a store as well.
func ExampleNewLetters() {
	ctx := context.Background()
	topic, server := exampleTopic(ctx)
	defer server.Close()
	defer topic.Close()
	letters := publish.NewLetters(topic, memstore.New())

	letter := driver.DeadLetter{Reason: driver.ReasonNoKey, Error: "no key", Body: []byte(`{"n":1}`)}
	fmt.Println(letters.AddDeadLetter(ctx, letter))
	for _, m := range server.Messages() {
		fmt.Printf("%s: %s\n", m.Attributes["reason"], m.Data)
	}
	// Output:
	// <nil>
	// no-key: {"n":1}
}
