package driver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// JSON returns a handler that decodes a message's content into a T, calls fn with
// it and the message's key, and then goes on with the message as it came.
//
// Content that is no JSON, or not that of a T, is a permanent error: it would not
// decode the next time either. Numbers that land in an any become a
// [json.Number], so that those beyond 2^53 keep their digits.
func JSON[T any](fn func(ctx context.Context, key string, in T) error) Handler {
	return HandlerFunc(func(ctx context.Context, in Message, next Next) error {
		var value T
		if err := decode(in.Content, &value); err != nil {
			return Permanent(fmt.Errorf("content is no JSON of a %T: %w", value, err))
		}
		if err := fn(ctx, in.Key, value); err != nil {
			return err
		}
		return next.Call(ctx, in)
	})
}

func decode(content []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows after the JSON value")
	}
	return nil
}
