package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/driver"
)

// ledger is the business of the demo. It notes which orders were processed.
type ledger struct {
	log *records.Journal // set before the first event is published

	mu        sync.Mutex
	processed map[string]int // by key
}

func newLedger() *ledger { return &ledger{processed: make(map[string]int)} }

// Process implements [driver.Handler].
func (l *ledger) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	claim, _ := driver.ClaimFrom(ctx)
	l.log.Add(records.Record{Kind: records.Log, Severity: "INFO", Key: in.Key, Message: "order processed",
		Attributes: map[string]any{"token": claim.Token}})
	l.mu.Lock()
	l.processed[in.Key]++
	l.mu.Unlock()
	return next.Call(ctx, in)
}

// sum returns the result in a sentence, and an error unless each order was processed once.
func (l *ledger) sum(orders []string, deadLettered int) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	once, lost, doubled := 0, 0, 0
	for _, key := range orders {
		switch l.processed[key] {
		case 0:
			lost++
		case 1:
			once++
		default:
			doubled++
		}
	}
	text := fmt.Sprintf("demo: %d orders, %d processed once, %d lost, %d doubled, %d dead-lettered",
		len(orders), once, lost, doubled, deadLettered)
	for key := range l.processed {
		if !slices.Contains(orders, key) {
			return text, fmt.Errorf("demo: %q was processed, which is not an order of the demo", key)
		}
	}
	switch {
	case once != len(orders):
		return text, errors.New("demo: not every order was processed exactly once")
	case deadLettered != hopeless:
		return text, fmt.Errorf("demo: %d events should have been dead-lettered", hopeless)
	}
	return text, nil
}

// serveBusiness lets other processes have a business in this one, by [remoteBusiness].
func serveBusiness(business driver.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := strconv.ParseInt(r.FormValue("token"), 10, 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		key := r.FormValue("key")
		ctx := driver.WithClaim(r.Context(), driver.Claim{Key: key, Token: token, Takeover: r.FormValue("takeover") == "true"})
		last := func(context.Context, driver.Message) error { return nil }
		if err := business.Process(ctx, driver.Message{Key: key}, last); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// remoteBusiness is a business in another process, which serves it at a URL.
func remoteBusiness(to string) driver.Handler {
	return driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		claim, _ := driver.ClaimFrom(ctx)
		form := url.Values{"key": {in.Key}, "token": {strconv.FormatInt(claim.Token, 10)}, "takeover": {strconv.FormatBool(claim.Takeover)}}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, to+"?"+form.Encode(), nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("the business answers %s", answer.Status)
		}
		return next.Call(ctx, in)
	})
}
