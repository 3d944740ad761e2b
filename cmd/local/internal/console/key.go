package console

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/keys"
)

// page is all there is to say of a key.
type page struct {
	keys.Answer
	Story     []records.Record `json:"story"`            // what happened to it, and to the instances meanwhile
	Published []events.Event   `json:"published"`        // without contents
	Contents  []content        `json:"contents"`         // of its events
	Joined    *content         `json:"joined,omitempty"` // what the business gets; nil: the join is not complete
	Unread    string           `json:"unread,omitempty"` // why the contents can't be read
	Kept      driver.KeyState  `json:"objects"`          // what the store keeps, as it says
}

// content is an event's, or the joined one.
type content struct {
	Source     string            `json:"source"`
	ID         string            `json:"id"`
	Time       *time.Time        `json:"time,omitempty"`
	MediaType  string            `json:"mediaType,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Size       int               `json:"size"` // in bytes
	Text       string            `json:"text"` // cut after shownLimit bytes
	Base64     bool              `json:"base64,omitempty"`
}

const shownLimit = 64 << 10

func (c *Console) key(w http.ResponseWriter, r *http.Request) {
	of, err := c.page(r.Context(), r.URL.Query().Get("key"))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, of)
}

func (c *Console) page(ctx context.Context, key string) (p page, err error) {
	if p.Answer, err = c.keys.Why(ctx, key); err != nil {
		return p, err
	}
	if p.Kept, err = c.keys.Store.Inspect(ctx, key); err != nil && p.State != keys.None {
		return p, err
	}
	p.Story, p.Published = c.story(key), c.published(key)
	kept, err := c.lab.State.Events.LookUpByKey(ctx, key)
	if err != nil { // a corrupt event is no reason to show nothing
		p.Unread = err.Error()
		return p, nil
	}
	p.Contents = []content{} // and not nil
	for _, e := range kept {
		p.Contents = append(p.Contents, shown(e))
	}
	if slices.ContainsFunc(p.Sources, func(s keys.Source) bool { return !s.Arrived && !s.Sealed }) && p.Decided == nil {
		return p, nil
	}
	if joins := slices.DeleteFunc(kept, func(e driver.Message) bool { return !c.joins(p.Answer, e.Source) }); len(joins) > 0 {
		joined := shown(c.keys.Join.Message(key, joins))
		p.Joined = &joined
	}
	return p, nil
}

// mostStory is how many records of a key are shown, the last.
const mostStory = 1000

// story returns what was recorded of a key, and of the instances and the troubles from its first
// record on.
func (c *Console) story(key string) []records.Record {
	told := c.lab.Records.OfKey(key)
	told = told[max(0, len(told)-mostStory):]
	if len(told) == 0 {
		return told
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.machinery {
		if !r.Time.Before(told[0].Time) {
			told = append(told, r)
		}
	}
	slices.SortStableFunc(told, func(a, b records.Record) int { return a.Time.Compare(b.Time) })
	return told
}

// joins says whether the event of a source is a part of what is joined.
func (c *Console) joins(a keys.Answer, source string) bool {
	return c.keys.Join.Names(source) && (a.Decided == nil || slices.Contains(a.Decided, source))
}

func shown(m driver.Message) content {
	c := content{Source: m.Source, ID: m.ID, MediaType: m.MediaType, Attributes: m.Attributes, Size: len(m.Content)}
	if !m.Time.IsZero() {
		c.Time = &m.Time
	}
	c.Text, c.Base64 = text(m.Content)
	return c
}

// text returns the beginning of a content as text, or in base64 where it is not text. It cuts no
// character.
func text(all []byte) (text string, inBase64 bool) {
	b := all[:min(len(all), shownLimit)]
	for n := len(b); n < len(all) && n > len(b)-utf8.UTFMax; n-- {
		if utf8.RuneStart(all[n]) {
			b = b[:n]
			break
		}
	}
	if utf8.Valid(b) {
		return string(b), false
	}
	return base64.StdEncoding.EncodeToString(b), true
}

// done is the answer of an action.
type done struct {
	Said string `json:"said"`
}

func (c *Console) release(ctx context.Context, r request) (any, error) {
	return c.changed(r.Key, "It is released: the next delivery of one of its events runs it.", c.changes.Release(ctx, r.Key, r.Force))
}

func (c *Console) complete(ctx context.Context, r request) (any, error) {
	return c.changed(r.Key, "It is completed: no delivery runs it any more.", c.changes.Complete(ctx, r.Key, r.Force))
}

func (c *Console) rerun(ctx context.Context, r request) (any, error) {
	return c.changed(r.Key, "It is open again: the next delivery of one of its events runs it.", c.changes.Rerun(ctx, r.Key, r.Force))
}

// replace puts a corrected event in the place of one that is kept.
func (c *Console) replace(ctx context.Context, r request) (any, error) {
	if r.Why == "" || len(r.Why) > driver.MaxCorrection {
		return nil, driver.Permanent(fmt.Errorf("why the event is replaced is kept with it, in at most %d bytes", driver.MaxCorrection))
	}
	prepared, err := c.changes.Prepare(ctx, r.Key, r.Source, []byte(r.Content), r.Media, c.lab.Config.Corrected)
	if err == nil {
		err = c.changes.Replace(ctx, prepared, r.Why, r.Force)
	}
	return c.changed(r.Key, "The event is replaced: the next delivery of one of the key's events, or the sweep, runs it.", err)
}

func (c *Console) purge(ctx context.Context, r request) (any, error) {
	return c.changed(r.Key, "Nothing is kept of the key any more.", c.changes.Purge(ctx, r.Key, r.Force))
}

func (c *Console) changed(key, said string, err error) (any, error) {
	c.watch.touch(key)
	return done{said}, err
}
