package eventdriver

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// start prepares the process that the platform started, and ends it if a setting or
// Business is wrong.
func (f *Function) start() {
	if f.err != nil {
		f.log().Error("the function cannot start: " + f.err.Error())
		os.Exit(1)
	}
	for _, sentence := range UnknownVariables(os.Environ()) {
		f.log().Warn("unknown variable: " + sentence)
	}
	f.log().Info("the function starts", "eventStore", f.config.EventStore, "claimStore", f.config.ClaimStore)
	limitHeap(processMemory(), f.log())
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM) // before the process listens
	go f.exitOn(terminated)
}

// inCloud says whether the process runs on Cloud Run, which sets K_SERVICE.
func inCloud() bool { return os.Getenv("K_SERVICE") != "" }

// Cloud Run kills an instance 10 seconds after SIGTERM. Most of that is for handlers;
// flushWithin is for net/http, which writes answers after their handlers returned.
const (
	drainWithin = 9 * time.Second
	flushWithin = 100 * time.Millisecond
	// telemetryWithin is for what telemetry still has to send then.
	telemetryWithin = 3 * time.Second
	endWithin       = 9900 * time.Millisecond
)

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// exitOn waits for the signal, lets running events finish, and ends the process. The
// framework would cut them off. New events are refused meanwhile.
func (f *Function) exitOn(terminated <-chan os.Signal) {
	<-terminated
	f.draining.Store(true)
	end := time.Now().Add(endWithin)
	ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
	defer cancel()
	if err := f.Drain(ctx); err != nil {
		f.log().Warn("the process ends while events are being handled; they will be delivered again",
			"events", f.active.Load())
	}
	time.Sleep(flushWithin)
	f.flush(end)
	os.Exit(0)
}

// flush sends what telemetry has not sent yet, until the process ends.
func (f *Function) flush(end time.Time) {
	parts := f.opened.Load()
	if parts == nil {
		return
	}
	ctx, cancel := context.WithDeadline(context.Background(), earlier(end, time.Now().Add(telemetryWithin)))
	defer cancel()
	if err := parts.observer.shutdown(ctx); err != nil {
		f.log().Warn("the last traces and metrics were not sent", "error", err)
	}
}
