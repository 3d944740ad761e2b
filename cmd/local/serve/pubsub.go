package serve

import (
	"context"
	"fmt"
	"os"
	"slices"

	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/pubsub"
	"example.com/eventdriver/operate/letters"
)

const pubsubVariable = "PUBSUB_EMULATOR_HOST"

// startPubsub starts Google's emulator unless there is one, and points the function at it.
func (l *local) startPubsub(ctx context.Context) error {
	host := os.Getenv(pubsubVariable)
	if host == "" {
		address, stop, err := pubsub.StartEmulator(ctx)
		if err != nil {
			return fmt.Errorf("-pubsub: %w", err)
		}
		l.closers = append(l.closers, stop)
		host = address
	}
	l.settings.here[pubsubVariable] = host
	l.settings.setUnlessSet("DEAD_LETTER_TOPIC", pubsub.DeadLetterTopic)
	return l.setenv(pubsubVariable, host)
}

// openBus returns what brings events to the function.
func (l *local) openBus(ctx context.Context) (events.Bus, error) {
	if !l.options.pubsub {
		return bus{l.eventarc}, nil
	}
	topics := slices.Clone(l.Config.Sources)
	for _, aliases := range l.Config.SourceAliases {
		topics = append(topics, aliases...)
	}
	opened, err := pubsub.Open(ctx, pubsub.Config{Topics: pubsub.Legal(topics), DeadLetterTopic: l.Config.DeadLetterTopic,
		OutputTopic: l.Config.OutputTopic, Forward: l.eventarc.Forward})
	if err != nil {
		return nil, fmt.Errorf("-pubsub, at %s: %w", os.Getenv(pubsubVariable), err)
	}
	l.pubsub = opened
	box, err := letters.OpenSubscription(ctx, pubsub.DeadLetterSubscription)
	if err != nil {
		return nil, err
	}
	l.closers = append(l.closers, box.Close)
	l.LetterBox = box
	return opened, nil
}

// waitForEvents returns when all that was published is acknowledged, or the context ends.
func (l *local) waitForEvents(ctx context.Context) {
	l.eventarc.Wait()
	if l.pubsub != nil {
		l.pubsub.Wait(ctx)
	}
}
