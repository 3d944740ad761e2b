package eventdriver

import (
	"context"
	"fmt"
	"mime"
	"slices"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// Corrected returns m as the function would keep it if it were sent so: for tools that put a corrected
// event in the place of another. Data that the function would not take is the same permanent error:
// data that is not what m.MediaType or CONTENT says, or is longer than BODY_LIMIT, and one whose
// KEY_POINTER leads to another key than m's.
func (c Config) Corrected(ctx context.Context, m driver.Message) (driver.Message, error) {
	if err := c.canCorrect(m); err != nil {
		return m, driver.Permanent(err)
	}
	decoder, err := c.input()
	if err != nil {
		return m, err
	}
	e := cloudevents.NewEvent()
	e.SetID("corrected")
	e.SetSource("/corrected")
	e.SetType("corrected")
	e.SetExtension("key", m.Key)
	if err := e.SetData(m.MediaType, m.Content); err != nil {
		return m, driver.Permanent(err)
	}
	e.SetDataContentType(m.MediaType)
	sent, err := decoder(decode.WithSource(ctx, m.Source), &e)
	switch {
	case err != nil:
		return m, err
	case sent.Key != m.Key:
		return m, driver.Permanent(fmt.Errorf("KEY_POINTER leads to the key %q in it, and it is to be of key %q", sent.Key, m.Key))
	}
	m.Content, m.MediaType = sent.Content, sent.MediaType
	return m, nil
}

func (c Config) canCorrect(m driver.Message) error {
	if int64(len(m.Content)) > c.BodyLimit {
		return fmt.Errorf("it has %d bytes: BODY_LIMIT is %d", len(m.Content), c.BodyLimit)
	}
	if slices.Contains(c.EraseSources, m.Source) {
		return fmt.Errorf("ERASE_SOURCES has the function erase the content of %q", m.Source)
	}
	if m.MediaType == "" {
		return nil
	}
	if _, _, err := mime.ParseMediaType(m.MediaType); err != nil {
		return fmt.Errorf("the media type %q: %w", m.MediaType, err)
	}
	return nil
}
