package telemetry

import "sync"

// other is what metrics call all names that they do not tell apart.
const other = "other"

// bounded are the values that an attribute of a metric may have, so that no sender of events decides
// how many time series there are.
type bounded struct {
	mu    *sync.RWMutex
	names map[string]bool
	most  int // names that come are added up to this number
}

func upTo(most int) bounded {
	return bounded{mu: new(sync.RWMutex), names: make(map[string]bool), most: most}
}

func only(names []string) bounded {
	b := upTo(0)
	for _, name := range names {
		b.names[shown(name)] = true
	}
	return b
}

// of returns the name, or "other"; "unknown" for an empty one.
func (b bounded) of(name string) string {
	if name == "" {
		return "unknown"
	}
	name = shown(name)
	b.mu.RLock()
	known, full := b.names[name], len(b.names) >= b.most
	b.mu.RUnlock()
	if known {
		return name
	}
	if full {
		return other
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.names[name] && len(b.names) >= b.most {
		return other
	}
	b.names[name] = true
	return name
}
