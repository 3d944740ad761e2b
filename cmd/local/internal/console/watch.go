package console

import (
	"context"
	"errors"
	"math"
	"reflect"
	"sync"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/operate/keys"
	"example.com/eventdriver/operate/letters"
)

// row is a key as the grid shows it.
type row struct {
	keys.Answer
	Letters int  `json:"letters"`
	Records int  `json:"records"` // how much has been said of it: when it grows, there is news
	Gone    bool `json:"gone,omitempty"`
}

// view is what the watcher has seen, or what has changed of it.
type view struct {
	Reset   bool              `json:"reset,omitempty"` // it is all there is
	Looked  bool              `json:"looked"`          // all keys were looked at
	Rows    []row             `json:"rows,omitempty"`
	Letters *[]letters.Letter `json:"letters,omitempty"` // all of them, if they have changed
	Problem *string           `json:"problem,omitempty"` // why the store can't be looked at; "": it can
}

func (v view) empty() bool {
	return !v.Reset && len(v.Rows) == 0 && v.Letters == nil && v.Problem == nil
}

// All keys are looked at now and then; in between, those of which something is said.
const (
	lookEvery = 2 * time.Second        // at most this often,
	lookShare = 20                     // and at most a 20th of the time,
	lookSoon  = 20 * time.Second       // but this often at least
	rest      = time.Second            // at most, after each look: it is as long as the look was
	soon      = 100 * time.Millisecond // news of this time are told together
	manyKeys  = 100                    // with more news, all keys are looked at
)

// watcher keeps an eye on all keys while a page is open.
type watcher struct {
	keys    keys.Function
	box     driver.LetterBox
	wake    chan struct{} // of capacity 1
	mu      sync.Mutex
	seq     int // grows with each change
	rows    map[string]changing[row]
	said    map[string]int  // how many records there are of a key
	dirty   map[string]bool // keys of which something was said since they were looked at
	full    bool            // all keys must be looked at
	looked  bool
	problem changing[string]
	letters changing[[]letters.Letter]
	pages   map[chan struct{}]bool // each of capacity 1: something has changed
}

// changing is something with the number of its last change.
type changing[T any] struct {
	is  T
	seq int
}

// set returns whether something else is set than before; then it has the number.
func (c *changing[T]) set(to T, seq int) bool {
	if reflect.DeepEqual(c.is, to) {
		return false
	}
	c.is, c.seq = to, seq
	return true
}

func newWatcher(k keys.Function, box driver.LetterBox) *watcher {
	return &watcher{seq: 1, keys: k, box: box, wake: make(chan struct{}, 1), rows: make(map[string]changing[row]),
		said: make(map[string]int), dirty: make(map[string]bool), pages: make(map[chan struct{}]bool)}
}

// open adds a page. The channel has a value when there is something to tell it; close removes it.
func (w *watcher) open() (news <-chan struct{}, close func()) {
	page := make(chan struct{}, 1)
	page <- struct{}{}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[page], w.full = true, true
	notify(w.wake)
	return page, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.pages, page)
	}
}

// touch says that there is news of a key; "": of any.
func (w *watcher) touch(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if key != "" {
		w.said[key]++
	}
	switch {
	case len(w.pages) == 0:
		return // the next page looks at all
	case key == "":
		w.full = true
	default:
		w.dirty[key] = true
	}
	notify(w.wake)
}

// since returns what has changed after a sequence number, and the number to ask with next. With
// 0 it returns all.
func (w *watcher) since(seq int) (view, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := view{Reset: seq == 0, Looked: w.looked}
	for _, r := range w.rows {
		if r.seq > seq && !(v.Reset && r.is.Gone) {
			v.Rows = append(v.Rows, r.is)
		}
	}
	if w.letters.seq > seq || v.Reset {
		all := append([]letters.Letter{}, w.letters.is...)
		v.Letters = &all
	}
	if w.problem.seq > seq || v.Reset {
		v.Problem = &w.problem.is
	}
	return v, w.seq
}

// run looks at keys until the context ends: at all of them now and then, and in between at those
// of which there is news.
func (w *watcher) run(ctx context.Context) {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			if !pause(ctx, soon) {
				return
			}
		case <-timer.C:
			w.touch("")
		}
		some, all := w.take()
		switch {
		case all:
			begun := time.Now()
			w.lookAtAll(ctx)
			took := time.Since(begun)
			timer.Reset(min(max(lookEvery, lookShare*took), lookSoon))
			if !pause(ctx, min(took, rest)) {
				return
			}
		default:
			w.lookAt(ctx, some)
		}
	}
}

// take returns the keys to look at, unless no page is open.
func (w *watcher) take() (some []string, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pages) == 0 {
		return nil, false
	}
	for key := range w.dirty {
		some = append(some, key)
	}
	all = w.full || len(some) > manyKeys
	clear(w.dirty)
	w.full = false
	return some, all
}

// lookAt looks at these keys. Letters that they have are looked at with all.
func (w *watcher) lookAt(ctx context.Context, some []string) {
	now := time.Now()
	found := make([]*driver.KeyState, len(some))
	var group sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i, key := range some {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if k, err := w.keys.Store.Inspect(ctx, key); err == nil {
				found[i] = &k
			} else if errors.Is(err, driver.ErrNotFound) {
				found[i] = &driver.KeyState{Key: key}
			}
		})
	}
	group.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range found {
		if k == nil {
			continue // the next look at all finds out
		}
		r := row{Answer: w.keys.Stands(*k, now), Letters: len(k.Letters), Records: w.said[k.Key]}
		r.Answer.Letters = nil
		r.Gone = r.State == keys.None && r.Letters == 0
		w.put(r)
		w.full = w.full || len(k.Letters) != w.lettersOf(k.Key)
	}
	if w.full {
		notify(w.wake)
	}
	w.tell()
}

// lettersOf returns how many of the letters that are known are of a key.
func (w *watcher) lettersOf(key string) (n int) {
	for _, l := range w.letters.is {
		if l.Key == key {
			n++
		}
	}
	return n
}

// lookAtAll looks at all keys and letters.
func (w *watcher) lookAtAll(ctx context.Context) {
	box, err := letters.Find(ctx, w.box, letters.Query{Limit: math.MaxInt})
	var listed []driver.KeyState
	for page := (driver.KeyPage{}); err == nil; {
		page, err = w.keys.Store.ListKeys(ctx, driver.KeyQuery{Cursor: page.Next})
		listed = append(listed, page.Keys...)
		if page.Next == "" {
			break
		}
	}
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	} else {
		w.replace(listed, box.Letters)
	}
	w.change(w.problem.set(text, w.seq+1))
	w.tell()
}

// replace takes what a look at all has found.
func (w *watcher) replace(listed []driver.KeyState, box []letters.Letter) {
	now, seen, of := time.Now(), make(map[string]bool), make(map[string]int)
	for _, l := range box {
		of[l.Key]++
	}
	for _, k := range listed {
		if k.Key == "" {
			continue // its name can't be read
		}
		seen[k.Key] = true
		w.put(row{Answer: w.keys.Stands(k, now), Letters: of[k.Key], Records: w.said[k.Key]})
	}
	for key := range of {
		if key != "" && !seen[key] {
			seen[key] = true
			w.put(row{Answer: w.keys.Stands(driver.KeyState{Key: key}, now), Letters: of[key], Records: w.said[key]})
		}
	}
	for key, r := range w.rows {
		if !seen[key] && !r.is.Gone {
			w.put(row{Answer: keys.Answer{Key: key, State: keys.None}, Gone: true})
		}
	}
	w.change(w.letters.set(box, w.seq+1) || !w.looked)
	w.looked = true
}

// change counts a change, if there was one.
func (w *watcher) change(changed bool) {
	if changed {
		w.seq++
	}
}

// put keeps a row, under a new number if it is another than before.
func (w *watcher) put(r row) {
	if r.State != joiner.Waiting {
		r.WaitsFor = ""
	}
	r.Next = "" // the key's page has it
	at, known := w.rows[r.Key]
	if !known && r.Gone {
		return
	}
	w.change(at.set(r, w.seq+1))
	w.rows[r.Key] = at
}

// tell says to all pages that something may have changed.
func (w *watcher) tell() {
	for page := range w.pages {
		notify(page)
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it was notified already
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
