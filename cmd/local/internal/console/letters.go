package console

import (
	"context"
	"errors"
	"net/http"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/letters"
)

func (c *Console) letter(w http.ResponseWriter, r *http.Request) {
	ref := r.URL.Query().Get("ref")
	d, err := c.letters.ReadLetter(r.Context(), ref)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, letters.Describe(ref, d, true))
}

func (c *Console) drop(ctx context.Context, r request) (any, error) {
	err := c.letters.DeleteLetter(ctx, r.Ref)
	c.watch.touch("")
	return done{"The letter is dropped."}, err
}

// sent says what became of a letter that was sent again.
type sent struct {
	letters.Answer
	Dropped bool `json:"dropped"`
}

// resend sends a letter again, as it is kept or as it was changed, and drops it where its event was
// processed.
func (c *Console) resend(ctx context.Context, r request) (any, error) {
	d, err := c.letters.ReadLetter(ctx, r.Ref)
	if err != nil {
		return nil, err
	}
	if r.Letter != nil {
		if d, err = letters.Parse(r.Letter); err != nil {
			return nil, driver.Permanent(err)
		}
		if err := letters.Overruled(ctx, c.lab.State.Events, d); err != nil {
			return nil, err
		}
	}
	if d.Reason == driver.ReasonIncomplete {
		return nil, driver.Permanent(errors.New("its join has ended, and the function would acknowledge it and do nothing: " +
			"act on its contents by hand, then drop it"))
	}
	said, err := c.sender.Send(ctx, d)
	if err != nil {
		return nil, err
	}
	result := sent{Answer: said}
	if said.Result == letters.Processed {
		if err := c.letters.DeleteLetter(ctx, r.Ref); err != nil && !errors.Is(err, driver.ErrNotFound) {
			return nil, err
		}
		result.Dropped = true
	}
	c.watch.touch(d.Key)
	c.watch.touch("")
	return result, nil
}
