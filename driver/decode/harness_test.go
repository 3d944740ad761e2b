package decode_test

import (
	"io"
	"net/http"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// zero is a decoder without options.
var zero = &decode.Decoder{}

func decoder(t testing.TB, opts ...decode.Option) *decode.Decoder {
	t.Helper()
	d, err := decode.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// read returns what a request becomes.
func read(t testing.TB, d *decode.Decoder, r *http.Request) (driver.Message, error) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	e, err := decode.Request(r, body, nil)
	if err != nil {
		return driver.Message{}, err
	}
	return d.Message(t.Context(), e)
}

// message returns the message of a request that is accepted.
func message(t testing.TB, d *decode.Decoder, r *http.Request) driver.Message {
	t.Helper()
	m, err := read(t, d, r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rejection returns why a request is rejected, and what is known of its message.
func rejection(t testing.TB, r *http.Request) (driver.Message, error) {
	t.Helper()
	m, err := read(t, zero, r)
	if !driver.IsPermanent(err) {
		t.Fatalf("%+v, %v; want a rejection", m, err)
	}
	return m, err
}
