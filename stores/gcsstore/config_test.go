package gcsstore_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

func TestTutorial(t *testing.T) {
	server := gcs.New(t, "my-bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", server.Host())
	ctx := t.Context()

	gcsTimeout := time.Second * 5
	gcsConfig := gcsstore.Config("my-bucket").
		WithTimeout(gcsstore.Timeout{Default: &gcsTimeout})
	myEventStore, err := gcsstore.New(ctx, gcsConfig, option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer myEventStore.Close()
	if got := len(server.Requests()); got != 0 {
		t.Errorf("New sends %d requests", got)
	}
	stored(t, myEventStore)
	if found, err := myEventStore.LookUp(ctx, "order-1", "event1"); err != nil || string(found.Content) != "first" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestNewRefuses(t *testing.T) {
	zero, negative := time.Duration(0), -time.Second
	config := gcsstore.Config(bucket)
	for want, settings := range map[string]gcsstore.Settings{
		`bucket "": must`:                          gcsstore.Config(""),
		`bucket "gs://b": must`:                    gcsstore.Config("gs://b"),
		`Timeout.Default 0s: must be positive`:     config.WithTimeout(gcsstore.Timeout{Default: &zero}),
		`Timeout.Operation["renew"] -1s: must`:     config.WithTimeout(gcsstore.Timeout{Operation: map[gcsstore.Operation]time.Duration{gcsstore.OpRenew: negative}}),
		`Timeout.Operation["eat"]: must be one of`: config.WithTimeout(gcsstore.Timeout{Operation: map[gcsstore.Operation]time.Duration{"eat": time.Second}}),
		`folder "/a": must be like`:                config.WithFolder("/a"),
		`folder "a/": must be like`:                config.WithFolder("a/"),
		`folder "a//b": must be like`:              config.WithFolder("a//b"),
		`folder "a/../b": must be like`:            config.WithFolder("a/../b"),
		`folder "..": segment ".."`:                config.WithFolder(".."),
		`folder "a b": segment "a b"`:              config.WithFolder("a b"),
		`segment "deadletters": is reserved`:       config.WithFolder("a/deadletters"),
		`segment "0f": is reserved`:                config.WithFolder("0f"),
		`segment ".well-known": is reserved`:       config.WithFolder(".well-known/acme-challenge"),
		`must have 256 bytes at most, not 257`:     config.WithFolder(strings.Repeat("x", 257)),
	} {
		store, err := gcsstore.New(t.Context(), settings, option.WithoutAuthentication())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one that says %q", err, want)
		}
		if err == nil {
			store.Close()
		}
	}
}

// TestSettingsAreValues changes what was passed to the settings, and checks that
// the settings that others were made from stay as they are.
func TestSettingsAreValues(t *testing.T) {
	d, zero := time.Second, time.Duration(0)
	perOperation := map[gcsstore.Operation]time.Duration{gcsstore.OpRenew: time.Second}
	good := gcsstore.Config(bucket).WithTimeout(gcsstore.Timeout{Default: &d, Operation: perOperation})
	good.WithFolder("/").WithTimeout(gcsstore.Timeout{Default: &zero})
	d, perOperation["eat"] = 0, 0
	store, err := gcsstore.New(t.Context(), good, option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
}

// TestReadyClient brings a client of the user's.
func TestReadyClient(t *testing.T) {
	server := gcs.New(t, bucket)
	transport := &gcs.Transport{Server: server}
	t.Cleanup(transport.Wait)
	store, err := gcsstore.New(t.Context(), gcsstore.Config(bucket), option.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.LookUp(t.Context(), "order-1", "event1"); !errors.Is(err, driver.ErrNotFound) {
		t.Error(err)
	}
	stored(t, store)
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if found, err := store.LookUp(t.Context(), "order-1", "event1"); err != nil || string(found.Content) != "first" {
		t.Errorf("after Close: %+v, %v", found, err)
	}
}
