package eventdriver

import (
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// unlimited is what events may hold at once where nothing limits the process.
	unlimited = 1 << 30
	// heapPercent is how much of the process's memory Go's heap and stacks may have. The
	// rest is for the program itself, and for what the system keeps for its connections.
	heapPercent = 80
	// eventPercent is how much of the process's memory events may hold at once. What is
	// left of the heap's is for everything else, and for what is not collected yet.
	eventPercent = 50
	// garbagePercent is how much garbage there may be, beside what is in use, before Go collects it, as
	// long as the limit is far. Little is in use, and by Go's default all of it would be looked at for each few
	// megabytes of events.
	garbagePercent = 400
)

// processMemory is how many bytes the process may take: what GOMEMLIMIT says, or else the
// container's limit; 0: as many as there are. It is read before limitHeap changes it.
var processMemory = sync.OnceValue(func() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	limit, err := memlimit.FromCgroup()
	if err != nil || limit > math.MaxInt64 { // not in a container, or not limited
		return 0
	}
	return int64(limit)
})

// limitHeap has Go collect garbage as often as it takes for the process to stay within
// its memory, and no oftener than that pays. GOGC has precedence.
func limitHeap(memory int64, logger *slog.Logger) {
	if memory <= 0 {
		if inCloud() {
			logger.Warn("the container does not tell how much memory it has, "+
				"and events may hold more than that: set GOMEMLIMIT",
				"events", eventMemory(memory))
		}
		return
	}
	debug.SetMemoryLimit(memory / 100 * heapPercent)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	logger.Debug("memory is limited", "bytes", memory, "events", eventMemory(memory))
}

// eventMemory is how many bytes events may hold at once in a process of so many.
func eventMemory(process int64) int64 {
	if process <= 0 {
		return unlimited
	}
	return process / 100 * eventPercent
}
