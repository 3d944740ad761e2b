package serve

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// sweepEvery is how often the function sweeps. In the cloud, Cloud Scheduler decides.
const sweepEvery = time.Minute

// startSweeps has the function sweep until endSweeps is called.
func (l *local) startSweeps(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var sweeps sync.WaitGroup
	sweeps.Go(func() { l.sweep(ctx) })
	l.endSweeps = func() {
		cancel()
		sweeps.Wait()
	}
}

func (l *local) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if report, err := l.function.Sweep(ctx, ""); err != nil {
			slog.Error("the sweep failed", "error", err)
		} else {
			slog.Info("sweep", "report", report)
		}
	}
}
