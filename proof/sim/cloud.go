package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/eventdriver/driver"
)

// cloud is a bucket, and the state of the keys as its writes show it. Each request of a
// store to the bucket is a step.
type cloud struct {
	bucket    *bucket
	verify    *verifier
	gate      *gate
	scenario  Scenario
	mu        sync.Mutex
	instances map[int]*instance // of each delivery; mu guards it
	steps     int               // writes and deletions, counted
	free      contract          // for looks between the steps
}

// instance is a process of its own, with a store of its own. It lives on until it
// crashes.
type instance struct {
	store Stores
	last  *attempt
}

func newCloud(s Scenario, v *verifier, g *gate) *cloud {
	c := &cloud{verify: v, gate: g, scenario: s, instances: make(map[int]*instance)}
	c.bucket = &bucket{objects: make(map[string]*object)}
	c.free = contract{s.Cloud(c.client()), v, s.Ahead}
	return c
}

// storeOf returns the store of the attempt's instance: that of the try before, unless
// it has crashed.
func (c *cloud) storeOf(a *attempt) Stores {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.instances[a.delivery]
	if in == nil || c.gate.hasCrashed(in.last) {
		in = &instance{store: c.scenario.Cloud(c.client())}
		c.instances[a.delivery] = in
	}
	in.last = a
	return observed{c, in.store}
}

func (c *cloud) client() *http.Client { return &http.Client{Transport: transport{c}} }

// call is the operation that requests belong to. It is in their context.
type call struct {
	op      string
	key     string
	claim   driver.Claim // of the claim operations
	message driver.Message
	free    bool // the requests are no steps: the explorer looks for itself
}

type callKey struct{}

func callFrom(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(call)
	return c
}

// Operation returns the operation of a store that a request's context belongs to, such
// as "Renew".
func Operation(ctx context.Context) string { return callFrom(ctx).op }

// transport takes the requests of a storage client to the bucket.
type transport struct{ cloud *cloud }

// errAgain makes the client send a request once more, as it does by itself after some
// failures: the request was served, and its answer was lost.
var errAgain = errors.New("sim: the answer is lost, the request is sent again")

// errAstray makes something else than Cloud Storage answer.
var errAstray = errors.New("sim: the answer is not Cloud Storage's")

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	request, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	ctx, of := r.Context(), callFrom(r.Context())
	if of.free {
		return t.cloud.serve(ctx, request)
	}
	if by := attemptFrom(ctx); by == nil {
		return nil, fmt.Errorf("sim: a request of nobody: %s", request.what)
	} else if by.delivery%2 == 1 {
		request.ahead = t.cloud.scenario.Ahead
	}
	name := of.op + ": " + request.what
	for {
		response, err := value(ctx, t.cloud.gate, name, kindOf(of, request), func(ctx context.Context) (*http.Response, error) {
			return t.cloud.serve(ctx, request)
		})
		switch {
		case errors.Is(err, errAgain):
			name = of.op + ": " + request.what + " again"
		case errors.Is(err, errAstray):
			return request.astray(), nil
		default:
			return response, err
		}
	}
}

// kindOf returns the kind of a request, which decides its possible outcomes. The lease
// operations measure the time that their answers take.
func kindOf(of call, r cloudRequest) kind {
	reckons := of.claim.Key != ""
	switch {
	case r.write && reckons:
		return cloudLease
	case r.write:
		return cloudWrite
	case reckons:
		return cloudLook
	}
	return cloudRead
}

// serve carries a request out, and notes what it has changed.
func (c *cloud) serve(ctx context.Context, r cloudRequest) (*http.Response, error) {
	var written []*object
	c.bucket.inserted = func(_, o *object) { written = append(written, o) }
	response, err := c.bucket.serve(r)
	for _, o := range written {
		c.steps++
		c.note(ctx, callFrom(ctx), o)
	}
	return response, err
}

// note is told of an object that was written.
func (c *cloud) note(ctx context.Context, of call, o *object) {
	v, a := c.verify, attemptFrom(ctx)
	if of.free || a == nil {
		return
	}
	k := v.key(of.key)
	switch kind := kindOfObject(o.Name); kind {
	case "event":
		if o.Metadata["sealed"] != "" {
			v.sealed(a, k, of.message.Source)
		} else {
			k.keep(of.message)
		}
		v.probe(contract.probeEvents, c.free)
	case "decision":
		c.noteDecision(k, o)
	case "claim":
		c.noteClaim(k, of, o)
		v.probe(contract.probeClaims, c.free)
	case "done":
		c.noteDone(a, k, of, o)
		v.probe(contract.probeClaims, c.free)
	default:
		v.violated("an object of an unknown kind was written: %s", o.Name)
	}
}

// kindOfObject tells what an object is for from its name.
func kindOfObject(name string) string {
	switch {
	case strings.Contains(name, "/events/=decided/"):
		return "decision"
	case strings.Contains(name, "/events/"):
		return "event"
	}
	return path.Base(name)
}

// noteDecision checks that a join is decided once.
func (c *cloud) noteDecision(k *keyState, o *object) {
	var sources []string
	if err := json.Unmarshal([]byte(o.Metadata["sources"]), &sources); err != nil || len(sources) == 0 {
		c.verify.violated("a decision's object says %v", o.Metadata)
	}
	name := path.Base(o.Name)
	if k.decided[name] != nil {
		c.verify.violated("%q is decided, and then %q", k.decided[name], sources)
	}
	k.decided[name] = sources
}

// noteClaim checks that a claim is given to one owner at a time, with tokens that grow,
// and is released by its own holder.
func (c *cloud) noteClaim(k *keyState, of call, o *object) {
	v := c.verify
	token, errToken := strconv.ParseInt(o.Metadata["token"], 10, 64)
	ttl, errTTL := time.ParseDuration(o.Metadata["ttl"])
	if errToken != nil || errTTL != nil {
		v.violated("the claim's object says %v", o.Metadata)
		return
	}
	owner := of.claim.Owner
	attempts, _ := strconv.Atoi(o.Metadata["attempts"]) // none: 0
	claim := driver.Claim{Key: of.key, Attempts: attempts, Token: token, Owner: owner, Expires: time.Now().Add(ttl - c.scenario.Ahead),
		Takeover: o.Metadata["takeover"] == "true"}
	again := k.state == held && k.claim.Owner == owner
	k.stored = claim
	if o.Metadata["state"] != "held" {
		k.stored = driver.Claim{}
		switch {
		case k.state == done:
		case k.state == held && !again:
			v.violated("token %d was released by another than its holder", k.claim.Token)
		default:
			k.state = free
			k.noteReleased(o.Metadata)
		}
		return
	}
	if _, again := k.granted[token]; !again {
		k.granted[token] = c.steps
	}
	switch {
	case k.state == done:
		return // whoever wrote it must find that out
	case again && token != k.claim.Token:
		v.violated("token %d was claimed again by its owner, and became %d", k.claim.Token, token)
	case !again && k.live():
		v.violated("token %d was handed out while the lease of token %d runs", token, k.claim.Token)
	case !again && token <= k.claim.Token:
		v.violated("a new claim has token %d, after %d", token, k.claim.Token)
	case !again && k.isPaused():
		v.violated("token %d was handed out while the key is paused until %v", token, k.paused)
	case !again && k.claim.Token > 0 && claim.Attempts != k.tells().Attempts:
		v.violated("token %d was told of %d attempts, and there were %d", token, claim.Attempts, k.tells().Attempts)
	}
	k.give(claim, ttl-c.scenario.Ahead)
}

// noteReleased notes what a claim's object says that was released.
func (k *keyState) noteReleased(metadata map[string]string) {
	pause, _ := time.ParseDuration(metadata["pause"]) // none: 0
	attempts, _ := strconv.Atoi(metadata["attempts"])
	k.said = driver.Released{Mark: driver.Mark(metadata["mark"]), Pause: pause, Attempts: attempts}
	k.paused = time.Now().Add(pause)
}

// noteDone checks that a key is completed once, by a holder whose business is done.
func (c *cloud) noteDone(a *attempt, k *keyState, of call, o *object) {
	if of.op != "Complete" || o.Metadata["token"] != strconv.FormatInt(of.claim.Token, 10) {
		c.verify.violated("%s stored a completion by token %s", of.op, o.Metadata["token"])
	}
	if k.state == done && k.doneBy.Token != of.claim.Token {
		c.verify.violated("the completion by token %d was replaced by one of token %d", k.doneBy.Token, of.claim.Token)
	}
	k.doneBy, k.doneAt = of.claim, c.steps
	if k.state != done {
		k.state = done
		c.verify.completed(a, k, of.claim)
		c.verify.outcome(k, driver.Outcome(o.Metadata["outcome"]))
	}
}

// expire is the lifecycle rule: it deletes the objects of one kind of a key.
func (c *cloud) expire(kind, key string) {
	k := c.verify.key(key)
	c.steps++
	k.deletions++
	for name := range c.bucket.objects {
		if c.ofKey(name, key) && kindOfObject(name) == kind {
			delete(c.bucket.objects, name)
		}
	}
	switch kind {
	case "event":
		clear(k.events)
		clear(k.sealed)
	case "claim":
		k.claim, k.stored = driver.Claim{}, driver.Claim{}
	case "done": // the key's next life
		k.state, k.effects, k.doneBy, k.doneAt, k.forgotten = free, nil, driver.Claim{}, 0, true
		if k.stored.Token > 0 { // somebody has claimed the key since it was completed
			k.give(k.stored, k.length)
		}
	}
}

func (c *cloud) ofKey(name, key string) bool { return strings.Contains(name, "/"+key+"/") }

// expirable lists what the lifecycle rule may delete now: of each completed key the
// oldest object, and all others of that kind.
func (c *cloud) expirable() []option {
	var options []option
	for _, key := range c.scenario.keys() {
		k := c.verify.keys[key]
		if k == nil || k.state != done {
			continue
		}
		var oldest *object
		for name, o := range c.bucket.objects {
			if c.ofKey(name, key) && slices.Contains(c.scenario.Expire, kindOfObject(name)) && (oldest == nil || o.Generation < oldest.Generation) {
				oldest = o
			}
		}
		if oldest != nil {
			options = append(options, option{expire: kindOfObject(oldest.Name), key: key, cost: cost{deviations: 1}})
		}
	}
	return options
}
