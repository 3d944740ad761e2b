package gcsstore

import (
	"errors"
	"maps"
	"testing"
	"time"
)

// TestForms: during a rollout the old and the new revision of a function work on the same
// keys, so each reads what the other writes, or says that it can't.
func TestForms(t *testing.T) {
	written := record{token: 7, owner: "me", ttl: time.Minute, write: "w"}.metadata()
	for form, want := range map[string]error{"1": nil, "2": ErrNewer, "0": ErrCorrupt, "-1": ErrCorrupt, "x": ErrCorrupt, "": ErrCorrupt} {
		metadata := maps.Clone(written)
		metadata[fieldForm] = form
		if _, err := parseRecord(metadata); !errors.Is(err, want) {
			t.Errorf("a claim of form %q: %v, want %v", form, err, want)
		}
	}
	for form, want := range map[string]error{"1": nil, "2": nil, "3": ErrNewer, "0": ErrCorrupt} {
		metadata := map[string]string{fieldForm: form, fieldToken: "7", fieldOwner: "me", fieldState: stateReopened}
		if done, err := parseCompletion(metadata); !errors.Is(err, want) || err == nil && (!done.reopened || done.token != 7) {
			t.Errorf("a completion of form %q: %+v, %v, want %v", form, done, err, want)
		}
	}
	before := maps.Clone(written)
	delete(before, fieldForm)
	delete(before, fieldMark)
	if r, err := parseRecord(before); err != nil || r.token != 7 || r.owner != "me" {
		t.Errorf("a claim of before forms were written down: %+v, %v", r, err)
	}
	if written[fieldForm] != "1" {
		t.Errorf("a claim is written in form %q", written[fieldForm])
	}
}
