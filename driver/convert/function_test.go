package convert_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/driver/internal/eventtest"
	"example.com/eventdriver/stores/memstore"
)

// The adapters have the types that the Functions Framework and the SDK ask for.
func TestRegistration(t *testing.T) {
	functions.HTTP("ConvertHTTP", convert.ToHTTPHandler(convert.CloudEventToInput, driver.New()))
	functions.CloudEvent("ConvertCloudEvent", convert.ToCloudFunction(convert.CloudEventToInput, driver.New()))
}

func status(t *testing.T, err error) int {
	t.Helper()
	var result *cehttp.Result
	if !cloudevents.ResultAs(err, &result) {
		t.Fatalf("%v has no status", err)
	}
	return result.StatusCode
}

func TestCloudFunction(t *testing.T) {
	permanent := driver.Permanent(errors.New("100%s"))
	for name, c := range map[string]struct {
		err    error
		store  driver.DeadLetterStore
		status int // 0: acknowledged
	}{
		"processed":        {nil, nil, 0},
		"dead-lettered":    {permanent, memstore.New(), 0},
		"dead letters off": {permanent, nil, 400},
		"held":             {&driver.HeldError{Key: "k"}, memstore.New(), 503},
		"transient":        {errors.New("down"), memstore.New(), 500},
		"not kept":         {permanent, brokenStore{errors.New("full")}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			f := convert.ToCloudFunction(convert.CloudEventToInput, failing(func(driver.Message) error { return c.err }),
				convert.DeadLetters(c.store), quiet)
			err := f(t.Context(), *eventtest.Event("com.example", "event1", []byte(`{}`)))
			if c.status == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if status(t, err) != c.status {
				t.Errorf("%v, want status %d", err, c.status)
			}
			if want := name == "dead letters off"; driver.IsPermanent(err) != want || errors.Is(err, driver.ErrHeld) != (c.status == 503) {
				t.Errorf("the failure is not what it was: %v", err)
			}
			if strings.Contains(err.Error(), "MISSING") {
				t.Errorf("the error's text was used as a format: %v", err)
			}
		})
	}
}
