package trouble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/driver"
)

// Asker says what goes wrong with the next run of the business for a key; the zero Trouble:
// nothing.
type Asker interface {
	Ask(ctx context.Context, key string) (Trouble, error)
}

// ErrAsked is the failure of a run that was asked to fail.
var ErrAsked = errors.New("the business fails, since the trouble was asked for")

// Handler is a business before which troubles are asked for. It logs when a run begins and
// ends, as records of the kind [records.Run].
type Handler struct {
	Business driver.Handler
	Asker    Asker
}

// String implements [fmt.Stringer], with the name of the business.
func (h Handler) String() string {
	if named, has := h.Business.(fmt.Stringer); has {
		return named.String()
	}
	return "business"
}

// Process implements [driver.Handler].
func (h Handler) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	claim, _ := driver.ClaimFrom(ctx)
	kind, run := records.Run.Attr()
	log := slog.With(kind, run, "key", in.Key, "token", claim.Token)
	log.DebugContext(ctx, "the run begins", "takeover", claim.Takeover, "bytes", len(in.Content))
	err := h.run(ctx, in, next)
	if err != nil {
		log.DebugContext(ctx, "the run fails", "error", err)
		return err
	}
	log.DebugContext(ctx, "the run succeeds")
	return nil
}

func (h Handler) run(ctx context.Context, in driver.Message, next driver.Next) error {
	trouble, err := h.Asker.Ask(ctx, in.Key)
	if err != nil {
		return fmt.Errorf("asking for troubles: %w", err)
	}
	switch trouble.Kind {
	case Fail:
		return ErrAsked
	case Panic:
		panic("the business panics, since the trouble was asked for")
	case Hang:
		hung := time.NewTimer(trouble.For)
		defer hung.Stop()
		select {
		case <-hung.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return h.Business.Process(ctx, in, next)
}
