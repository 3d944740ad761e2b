package letters

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/publish"
)

// Result is what became of a letter that was sent again.
type Result string

// The results.
const (
	Processed    Result = "processed"     // or skipped as a duplicate: the letter is not needed any more
	Waits        Result = "waits"         // for other events of its key: keep the letter until they have come
	DeadLettered Result = "dead-lettered" // it failed again, and there is another letter
	Refused      Result = "refused"       // it was not taken; the answer says why
	Published    Result = "published"     // to a topic: look at its key to see what became of it
)

// Answer is what a [Sender] was told.
type Answer struct {
	Result Result `json:"result"`
	Status int    `json:"status,omitempty"` // of the function's answer
	Text   string `json:"text,omitempty"`   // of it
}

// Sender sends the event of a dead letter again, as it came.
type Sender interface {
	Send(ctx context.Context, d driver.DeadLetter) (Answer, error)
}

// ErrCut refuses a letter without its whole event.
var ErrCut = driver.Reject(driver.ReasonTooLarge, errors.New("the letter has only the beginning of its event, which was too "+
	"large for the function or its store: have the producer send it again, smaller or as a reference to the data; or put all of "+
	"the event into a copy of the letter (letters show ID --payload --json, then letters resend --file)"))

// Function sends letters to a function. Sending one twice does no harm.
type Function struct {
	URL    string // of the function, without a path
	Token  string // of an identity that may invoke it; "": none is needed
	Client *http.Client
}

// Send implements [Sender].
func (f Function) Send(ctx context.Context, d driver.DeadLetter) (Answer, error) {
	if d.Cut {
		return Answer{}, ErrCut
	}
	to, err := f.to(d.Path)
	if err != nil {
		return Answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(d.Body))
	if err != nil {
		return Answer{}, err
	}
	for name, values := range d.Header {
		if isEvents(name) && len(values) > 0 {
			request.Header[http.CanonicalHeaderKey(name)] = values // one that has two may be what is wrong
		}
	}
	if f.Token != "" {
		request.Header.Set("Authorization", "Bearer "+f.Token)
	}
	response, err := f.Client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1000))
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return Answer{resultOf(response.StatusCode, response.Header), response.StatusCode, said(response, text)}, nil
}

// to returns the URL of the function's path. Letters come from outside: with another path than
// those that the function writes, the token might go to another host, or call something else.
func (f Function) to(path string) (string, error) {
	source, _ := strings.CutPrefix(path, "/events/")
	if path != "" && path != convert.SourcePath(source) {
		return "", driver.Permanent(fmt.Errorf("the letter's path %.80q is none of a source, as /events/NAME is", path))
	}
	base, err := url.Parse(f.URL)
	if err != nil {
		return "", fmt.Errorf("the function's URL: %w", err)
	}
	return base.JoinPath(cmp.Or(path, "/")).String(), nil
}

// isEvents says whether a header is the event's own, or says how its body is to be read.
func isEvents(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "ce-") || name == "content-type" || name == "content-encoding"
}

// resultOf reads the answers that package convert lists.
func resultOf(status int, header http.Header) Result {
	switch {
	case status == http.StatusNoContent:
		return Processed
	case status == http.StatusAccepted:
		return Waits
	case status == http.StatusOK && header.Get(convert.DeadLetterHeader) != "":
		return DeadLettered
	}
	return Refused
}

// keptOut is what a 404 means: the function itself answers none.
const keptOut = "the function's ingress does not let you in: send from a VPC network of its project, or to the topic of the " +
	"letter's source"

func said(r *http.Response, text []byte) string {
	if r.StatusCode == http.StatusNotFound {
		return keptOut
	}
	return cmp.Or(strings.TrimSpace(string(text)), r.Header.Get(convert.ErrorHeader))
}

// Topic sends letters to one of the function's source topics.
type Topic struct{ Topic *publish.Topic }

// Send implements [Sender].
func (t Topic) Send(ctx context.Context, d driver.DeadLetter) (Answer, error) {
	if d.Cut {
		return Answer{}, ErrCut
	}
	if err := t.Topic.PublishAgain(ctx, d); err != nil {
		return Answer{}, err
	}
	return Answer{Result: Published}, nil
}
