package cloudlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/internal/fake/cloudlogging"
	"example.com/eventdriver/internal/fake/googleapis"
	"example.com/eventdriver/operate/deployed"
)

var target = deployed.Target{Project: "p", Region: "r", Service: "orders"}

// open returns a log, and the stand-in that has it.
func open(t *testing.T) (*Log, *cloudlogging.Log) {
	t.Helper()
	kept := new(cloudlogging.Log)
	l, err := Open(t.Context(), googleapis.New(t, kept.Answers()).URL, target)
	if err != nil {
		t.Fatal(err)
	}
	l.pause = time.Millisecond
	return l, kept
}

// add adds an entry about a key, some time ago.
func add(kept *cloudlogging.Log, service, key string, ago time.Duration) {
	e := cloudlogging.Entry("p", "r", service, fmt.Sprintf(`{"severity":"INFO","message":"event processed","key":%q}`, key))
	e.Timestamp = time.Now().Add(-ago).UTC().Format(time.RFC3339Nano)
	kept.Add(e)
}

func keyOf(t *testing.T, entry []byte) string {
	var e struct{ JsonPayload struct{ Key string } }
	if err := json.Unmarshal(entry, &e); err != nil {
		t.Fatal(err)
	}
	return e.JsonPayload.Key
}

// TestFollow returns each entry once: those of several pages, those that come later, also late ones, and
// goes on when Cloud Logging was busy.
func TestFollow(t *testing.T) {
	l, kept := open(t)
	const first = 2500
	for i := range first {
		add(kept, "orders", fmt.Sprint("order-", i), time.Minute-time.Duration(i)*time.Millisecond)
	}
	add(kept, "other", "of another service", 0)
	add(kept, "orders", "too old", time.Hour)

	ctx, cancel := context.WithCancel(t.Context())
	counts, n, troubles := make(map[string]int), 0, 0
	then := map[string]func(){ // what happens when that has come
		fmt.Sprint("order-", first-1): func() { add(kept, "orders", "new", 0) },
		"new":                         func() { add(kept, "orders", "late", late-time.Second) },
		"late":                        func() { kept.Refuse(&googleapis.Refusal{Code: http.StatusTooManyRequests, Message: "busy"}) },
		"after the trouble":           cancel,
	}
	err := l.Follow(ctx, Query{Since: time.Now().Add(-2 * time.Minute), Trouble: func(error) {
		if troubles++; troubles == 2 {
			kept.Refuse(nil)
			add(kept, "orders", "after the trouble", 0)
		}
	}}, func(entry []byte) error {
		key := keyOf(t, entry)
		if n < first && key != fmt.Sprint("order-", n) {
			t.Errorf("entry %d is %s", n, key)
		}
		counts[key]++
		n++
		if next := then[key]; next != nil {
			next()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || len(counts) != first+3 || troubles < 2 {
		t.Errorf("%d keys, %d troubles, %v", len(counts), troubles, err)
	}
	for key, times := range counts {
		if times != 1 {
			t.Errorf("%s came %d times", key, times)
		}
	}
}

func TestFollowAKey(t *testing.T) {
	l, kept := open(t)
	const key = `a "quoted\" key`
	add(kept, "orders", "another", 0)
	add(kept, "orders", key, 0)
	stop := errors.New("enough")
	err := l.Follow(t.Context(), Query{Since: time.Now().Add(-time.Minute), Key: key}, func(entry []byte) error {
		if got := keyOf(t, entry); got != key {
			t.Errorf("%s", got)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

// TestRefused: the error names the role that is missing, and nothing is tried again.
func TestRefused(t *testing.T) {
	l, kept := open(t)
	kept.Refuse(&googleapis.Refusal{Code: http.StatusForbidden, Message: "no"})
	err := l.Follow(t.Context(), Query{}, func([]byte) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "roles/logging.viewer") {
		t.Error(err)
	}
	if err := l.WriteAudit(t.Context(), map[string]any{"a": 1}); err == nil || !strings.Contains(err.Error(), "roles/logging.logWriter") {
		t.Error(err)
	}
}

// TestForeignEntries: an answer of a proxy is trouble that may pass, and nothing panics.
func TestForeignEntries(t *testing.T) {
	for _, answer := range []any{nil, map[string]any{"entries": []any{nil}}} {
		l, err := Open(t.Context(), googleapis.New(t, map[string]any{"/v2/entries:list": answer}).URL, target)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = l.Follow(ctx, Query{Trouble: func(err error) {
			cancel()
			if !strings.Contains(err.Error(), "look at proxies") {
				t.Error(err)
			}
		}}, func([]byte) error { return errors.New("an entry") })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v: %v", answer, err)
		}
	}
}

// TestWriteAudit: what is written is an entry of the service, which Follow returns.
func TestWriteAudit(t *testing.T) {
	l, kept := open(t)
	if err := l.WriteAudit(t.Context(), map[string]any{"message": "audit", "key": "order-1"}); err != nil {
		t.Fatal(err)
	}
	if e := kept.Entries()[0]; e.LogName != "projects/p/logs/eventdriver-audit" || e.Labels["service"] != "orders" {
		t.Errorf("%+v", e)
	}
	stop := errors.New("enough")
	err := l.Follow(t.Context(), Query{Since: time.Now().Add(-time.Minute)}, func(entry []byte) error {
		if keyOf(t, entry) != "order-1" {
			t.Errorf("%s", entry)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}
