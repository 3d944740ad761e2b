package eventdriver

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventdriver/publish"
)

// validateTopics is the part of Validate about what the function publishes.
func (c Config) validateTopics() error {
	var errs []error
	for _, topic := range []struct{ variable, name string }{{"DEAD_LETTER_TOPIC", c.DeadLetterTopic}, {"OUTPUT_TOPIC", c.OutputTopic}} {
		if topic.name == "" {
			continue
		}
		if err := publish.CheckTopic(topic.name); err != nil {
			errs = append(errs, fmt.Errorf("%s must name a topic: %w", topic.variable, err))
		}
	}
	if !c.DeadLetters && (c.DeadLetterTopic != "" || c.MaxEventAge != 0) {
		errs = append(errs, errors.New("DEAD_LETTERS must not be off where DEAD_LETTER_TOPIC or MAX_EVENT_AGE is set"))
	}
	if c.MaxEventAge < 0 {
		errs = append(errs, fmt.Errorf("MAX_EVENT_AGE must be more than 0, as in 20h, or not set; it is %v", c.MaxEventAge))
	}
	return errors.Join(errs...)
}

// openTopics opens the topics that config names.
func (s *stores) openTopics(ctx context.Context, c Config) error {
	if c.DeadLetterTopic != "" {
		topic, err := publish.Open(ctx, c.DeadLetterTopic)
		if err != nil {
			return fmt.Errorf("DEAD_LETTER_TOPIC: %w", err)
		}
		// What is too large for Pub/Sub is whole in the event store.
		s.deadLetters, s.closers = publish.NewLetters(topic).KeepWhole(s.deadLetters), append(s.closers, topic)
	}
	if c.OutputTopic != "" {
		topic, err := publish.Open(ctx, c.OutputTopic)
		if err != nil {
			return fmt.Errorf("OUTPUT_TOPIC: %w", err)
		}
		s.output, s.closers = publish.NewOutput(topic), append(s.closers, topic)
	}
	return nil
}
