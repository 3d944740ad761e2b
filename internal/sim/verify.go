package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
)

// verifier holds what must be true of every run against what happens in one. It is
// called within steps, one at a time.
type verifier struct {
	sources []string
	broken  []string

	claims  map[int64]*claimState // by token
	newest  int64
	done    bool
	effects []effect
}

type claimState struct {
	owner    string
	expires  time.Time
	released bool
}

// effect is one time that the business acted.
type effect struct {
	token int64
	by    *attempt
}

func (v *verifier) violated(format string, args ...any) {
	v.broken = append(v.broken, fmt.Sprintf(format, args...))
}

// acquired: at most one live claim, tokens only grow, a completed key is nobody's.
func (v *verifier) acquired(c driver.Claim) {
	if v.done {
		v.violated("a completed key was claimed, token %d", c.Token)
	}
	if mine, again := v.claims[c.Token]; again && mine.owner == c.Owner && c.Token == v.newest {
		mine.expires = c.Expires
		return
	}
	if c.Token <= v.newest {
		v.violated("a new claim has token %d, after %d", c.Token, v.newest)
	}
	for token, other := range v.claims {
		if !other.released && time.Now().Before(other.expires) {
			v.violated("token %d was handed out while the lease of token %d runs", c.Token, token)
		}
	}
	v.newest = max(v.newest, c.Token)
	v.claims[c.Token] = &claimState{owner: c.Owner, expires: c.Expires}
}

func (v *verifier) renewed(old, c driver.Claim) {
	if old.Token != v.newest {
		v.violated("token %d was renewed after %d was handed out", old.Token, v.newest)
	}
	if state := v.claims[old.Token]; state != nil {
		state.expires = c.Expires
	}
}

func (v *verifier) completed(c driver.Claim) {
	if c.Token != v.newest {
		v.violated("token %d completed after %d was handed out", c.Token, v.newest)
	}
	v.done = true
	if len(v.effects) == 0 {
		v.violated("the key was completed, and nothing was done: the order is lost")
	}
}

func (v *verifier) released(c driver.Claim) {
	if state := v.claims[c.Token]; state != nil {
		state.released = true
	}
}

// acted: with all its events; not once the key is completed; a second time only if
// the holder before crashed or let its lease run out after it acted, and then with
// a greater token.
func (v *verifier) acted(ctx context.Context, by *attempt, in driver.Message) {
	var content map[string]json.RawMessage
	if err := json.Unmarshal(in.Content, &content); err != nil {
		v.violated("the joined content is no JSON: %v", err)
	}
	for _, source := range v.sources {
		if _, ok := content[source]; !ok {
			v.violated("acted without %s", source)
		}
	}
	if v.done {
		v.violated("acted on a key that is completed")
	}
	claim, _ := cache.ClaimFromContext(ctx)
	if n := len(v.effects); n > 0 {
		last := v.effects[n-1]
		state := v.claims[last.token]
		excused := last.by.crashed || state != nil && !time.Now().Before(state.expires)
		switch {
		case !excused:
			v.violated("acted twice, and the first holder neither crashed nor lost its lease: the order is doubled")
		case claim.Token <= last.token:
			v.violated("acted again with token %d, after %d", claim.Token, last.token)
		}
	}
	v.effects = append(v.effects, effect{claim.Token, by})
}
