package joiner

import (
	"hash/fnv"
	"sync"
)

// known remembers which events exist, of the keys that this instance has handled last. It is a
// hint, and decides only what is looked at first: an event that is known may have been deleted
// since, and one that is not may exist. So two keys of one hash do no harm. Nothing else is
// remembered: no absence, which ends at any moment, no content, and no completion, which an
// operator may take back. The zero value knows nothing.
type known struct {
	mu         sync.Mutex
	young, old map[uint64]sourceSet // by the hash of the key
}

// mostKnown is how many keys each of the two maps of known has at most.
const mostKnown = 4096

// sourceSet is a set of the first 64 sources that a join needs, by their numbers. Those after
// them are never in it.
type sourceSet uint64

func (s sourceSet) has(source int) bool { return s>>source&1 == 1 }

func (s *sourceSet) add(source int) { *s |= 1 << source }

// of returns the sources whose events are known to exist for a key.
func (k *known) of(hash uint64) sourceSet {
	k.mu.Lock()
	defer k.mu.Unlock()
	if sources, ok := k.young[hash]; ok {
		return sources
	}
	return k.old[hash]
}

// note adds the sources whose events were found, and takes away those that were missing.
func (k *known) note(hash uint64, found, missing sourceSet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	sources, ok := k.young[hash]
	if !ok {
		sources = k.old[hash]
	}
	if k.young == nil || !ok && len(k.young) == mostKnown {
		k.young, k.old = make(map[uint64]sourceSet), k.young
	}
	k.young[hash] = sources&^missing | found
}

func hashOf(key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return h.Sum64()
}

// rank orders the sources of a key as if by chance, differently for each key, so that in no order
// of arrival those are looked at first that come first.
func rank(hash uint64, source int) uint64 {
	z := hash + 0x9e3779b97f4a7c15*uint64(source+1) // splitmix64
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
