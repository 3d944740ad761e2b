package bqstore

import (
	"cmp"
	"context"
	"errors"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// reopened rows open a completed key again. They have the form newForm.
const reopened kind = "reopened"

// Reopen implements [driver.Reopener]. It costs a query and a slot of the key's log; where the key is not
// completed by that claim, two queries.
func (s *Store) Reopen(ctx context.Context, c driver.Claim) error {
	return s.do(ctx, "reopen", c.String(), driver.ValidClaim(c), func(ctx context.Context) error {
		_, err := s.record(ctx, c, nil, func(end claimRow, n int64) (claimRow, error) {
			if end.Kind != completed {
				return end, s.isReopened(ctx, c)
			}
			if end.Token != c.Token {
				return end, driver.ErrLost
			}
			return claimRow{Seq: n, Kind: reopened, Token: end.Token, Owner: driver.ToText(c.Owner), Takeover: end.Takeover}, nil
		})
		if errors.Is(err, errThere) {
			return nil
		}
		return err
	})
}

// isReopened returns errThere where c's completion was reopened, else [driver.ErrLost]. The key is not completed.
func (s *Store) isReopened(ctx context.Context, c driver.Claim) error {
	rows, err := bq.Query[claimRow](ctx, s.db, "SELECT "+claimColumns+" FROM "+s.db.Name(claimTable)+
		" WHERE IFNULL(scope, '') = @scope AND key = @key AND kind = 'reopened' AND token = @token AND created_at >= @since",
		"scope", driver.ToText(c.Scope), "key", driver.ToText(c.Key), "token", c.Token, "since", s.db.Since())
	if err == nil && len(rows) == 0 {
		err = driver.ErrLost
	}
	return cmp.Or(err, errThere)
}
