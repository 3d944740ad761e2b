// Package ledger is the system that an order's business acts upon, built as your own
// should be: it applies the effect of an order once, refuses tokens that are older than
// the newest it has seen, and recognises a repeat. It also judges: it checks that each
// run of the business had the right to run. Nothing that is deployed imports it.
package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Run is one run of the business, as that run describes itself.
type Run struct {
	ID       string          // the run's own
	Instance string          // where it runs
	Order    string          // the key
	Token    int64           // the fencing token of its claim
	Takeover bool            // its claim took over a lease that had run out
	Expires  time.Time       // when its lease ran out as it was acquired
	Content  json.RawMessage // the joined events
}

// Answer is what the ledger answers.
type Answer string

// The answers.
const (
	GoOn    Answer = "go on"           // to begin
	Fail    Answer = "fail"            // to begin: fail this time
	Panic   Answer = "panic"           // to begin: panic this time
	Applied Answer = "applied"         // to act
	Again   Answer = "already applied" // to act: an earlier run has done it
	Stale   Answer = "stale"           // to both: a newer token has been seen
)

const (
	beginPath = "/begin"
	actPath   = "/act"
)

// Begin tells the ledger at url that the run is about to act.
func (r Run) Begin(ctx context.Context, url string) (Answer, error) {
	return r.post(ctx, url+beginPath)
}

// Act asks the ledger at url to apply the effect.
func (r Run) Act(ctx context.Context, url string) (Answer, error) { return r.post(ctx, url+actPath) }

// post has no timeout: the business waits for as long as it takes. Each request has its
// own connection, so that the client never sends one twice. A connection that can't be
// made is tried again, since nothing was sent.
func (r Run) post(ctx context.Context, url string) (answer Answer, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	for {
		answer, err = post(ctx, url, body)
		if failed, ok := errors.AsType[*net.OpError](err); !ok || failed.Op != "dial" || ctx.Err() != nil {
			return answer, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func post(ctx context.Context, url string, body []byte) (answer Answer, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the ledger answered %s", response.Status)
	}
	return answer, json.NewDecoder(response.Body).Decode(&answer)
}
