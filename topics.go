package eventdriver

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
		if source := c.sourceOf(topic.name); source != "" {
			errs = append(errs, fmt.Errorf("%s must not be a topic that %q comes from, or what is published comes back, for ever", topic.variable, source))
		}
	}
	if c.DeadLetterTopic != "" && c.DeadLetterTopic == c.OutputTopic {
		errs = append(errs, errors.New("DEAD_LETTER_TOPIC must not be the same topic as OUTPUT_TOPIC"))
	}
	if !c.DeadLetters && (c.DeadLetterTopic != "" || c.MaxEventAge != 0) {
		errs = append(errs, errors.New("DEAD_LETTERS must not be off where DEAD_LETTER_TOPIC or MAX_EVENT_AGE is set"))
	}
	if c.MaxEventAge < 0 {
		errs = append(errs, fmt.Errorf("MAX_EVENT_AGE must be more than 0, as in 20h, or not set; it is %v", c.MaxEventAge))
	}
	return errors.Join(errs...)
}

// sourceOf returns the event that comes from the topic, by its full name or the last
// part of it; empty: none does.
func (c Config) sourceOf(topic string) string {
	short := topic[strings.LastIndexByte(topic, '/')+1:]
	for _, source := range c.Sources {
		for _, name := range append([]string{source}, c.SourceAliases[source]...) {
			if name == short || strings.HasSuffix(name, topic) {
				return source
			}
		}
	}
	return ""
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
