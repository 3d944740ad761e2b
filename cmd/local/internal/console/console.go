// Package console serves a page on this machine that shows how the keys of a function stand, live,
// and acts upon them. It looks and acts through the packages that the command eventdriver uses.
package console

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/fleet"
	"example.com/eventdriver/cmd/local/internal/lab"
	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/cmd/local/internal/trouble"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/change"
	"example.com/eventdriver/operate/keys"
	"example.com/eventdriver/operate/letters"
)

// Console serves the page. Make one with [New].
type Console struct {
	lab     *lab.Lab
	name    string // of the store
	keys    keys.Function
	changes change.Keys
	letters driver.LetterBox
	sender  letters.Sender
	watch   *watcher

	mu        sync.Mutex
	machinery []records.Record // the last of instances and troubles that no key has
}

// mostMachinery is how many of them are remembered.
const mostMachinery = 1000

// New returns a console of a local run. store is what its store is called. It fails where the store
// can't be looked at.
func New(l *lab.Lab, store string) (*Console, error) {
	k, err := l.Keys()
	if err != nil {
		return nil, err
	}
	changes, err := l.Changes()
	if err != nil {
		return nil, err
	}
	box, err := l.Letters()
	if err != nil {
		return nil, err
	}
	return &Console{lab: l, name: store, keys: k, changes: changes, letters: box, sender: l.Sender(), watch: newWatcher(k, box)}, nil
}

//go:embed page
var embedded embed.FS

// handler returns what serves the page and what it calls.
func (c *Console) handler() http.Handler {
	page, err := fs.Sub(embedded, "page")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(page))
	mux.HandleFunc("GET /api/live", c.live)
	mux.HandleFunc("GET /api/key", c.key)
	mux.HandleFunc("GET /api/letter", c.letter)
	mux.HandleFunc("GET /api/last", c.last)
	for name, act := range map[string]action{
		"release": c.release, "complete": c.complete, "rerun": c.rerun, "replace": c.replace, "purge": c.purge,
		"resend": c.resend, "drop": c.drop,
		"publish": c.publish, "duplicate": c.duplicate, "hold": c.hold, "letgo": c.letGo,
		"trouble": c.trouble, "clear": c.clear, "instance": c.instance, "sweep": c.sweep,
	} {
		mux.Handle("POST /api/"+name, acting(act))
	}
	return mux
}

// Serve serves the console on a listener of this machine's loopback until the context ends.
func (c *Console) Serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watching sync.WaitGroup
	watching.Go(func() { c.watch.run(ctx) })
	watching.Go(func() { c.listen(ctx) })
	defer watching.Wait()
	defer cancel()
	server := &http.Server{Handler: guard(listener.Addr().String(), c.handler()), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	watching.Go(func() {
		<-ctx.Done() // which ends the pages' streams
		short, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer stop()
		_ = server.Shutdown(short)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listen watches the keys of which something is said, until the context ends.
func (c *Console) listen(ctx context.Context) {
	for last := int64(0); ; {
		said, err := c.lab.Records.After(ctx, last)
		if err != nil {
			return
		}
		for _, r := range said {
			if r.Key != "" {
				c.watch.touch(r.Key)
			} else if r.Kind == records.Instance || r.Kind == records.Trouble {
				c.remember(r)
			}
		}
		last = said[len(said)-1].Seq
	}
}

func (c *Console) remember(r records.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.machinery = append(c.machinery[max(0, len(c.machinery)-mostMachinery):], r)
}

// request is the body of all changes; each uses some of it.
type request struct {
	Key    string          `json:"key"`
	Force  bool            `json:"force"`
	Source string          `json:"source"`
	Media  string          `json:"mediaType"` // of Content; "": that of what it replaces
	Why    string          `json:"why"`
	Ref    string          `json:"ref"`    // a letter's
	Letter json.RawMessage `json:"letter"` // one that was changed
	ID     string          `json:"id"`     // of an event or an instance
	Do     string          `json:"do"`     // to an instance

	Content   string            `json:"content"` // that replaces another
	Events    []event           `json:"events"`  // to publish at once
	Kind      trouble.Kind      `json:"kind"`
	Operation trouble.Operation `json:"operation"`
	Times     int               `json:"times"`
	Seconds   float64           `json:"seconds"`
}

// action makes a change. It returns what there is to say of it.
type action func(ctx context.Context, r request) (any, error)

// requestLimit is in bytes: Pub/Sub's limit for a message, in base64, and some more.
const requestLimit = 15 << 20

// acting serves an action.
func acting(act action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked request
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, requestLimit))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&asked)
		if _, rest := decoder.Token(); err == nil && !errors.Is(rest, io.EOF) {
			err = errors.New("something follows the JSON object")
		}
		if err != nil {
			answer(w, http.StatusBadRequest, problem{"the request can't be read: " + err.Error()})
			return
		}
		said, err := act(r.Context(), asked)
		if err != nil {
			fail(w, err)
			return
		}
		answer(w, http.StatusOK, said)
	})
}

// problem is the body of an answer that says no.
type problem struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, driver.ErrNotFound), errors.Is(err, events.ErrUnknown), errors.Is(err, fleet.ErrUnknown):
		status = http.StatusNotFound
	case errors.Is(err, change.ErrNothing), errors.Is(err, change.ErrUnderWay), errors.Is(err, change.ErrCannot),
		errors.Is(err, fleet.ErrOneProcess):
		status = http.StatusConflict
	case driver.IsPermanent(err):
		status = http.StatusUnprocessableEntity
	}
	answer(w, status, problem{err.Error()})
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		slog.Error("the console has an answer that is no JSON", "error", err)
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer is no JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the page may be gone
}
