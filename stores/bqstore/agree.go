package bqstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// Rows that are appended exclude nobody, and have no order that every reader knows.
// What can be relied on is that a row can be read once its append has returned, and
// that a query sees the table as it was at one moment. That is enough for calls with
// different contents to agree, in most cases without a lock (the adopt-commit object of
// E. Gafni, "Round-by-round fault detectors", 1998). A call
//
//  1. proposes its content, by a row, and reads all rows;
//  2. if all proposals are of its content, votes "agreed", otherwise "disputed", by
//     another row, and reads again;
//  3. if all votes are "agreed", that content is kept. Otherwise a slot of the log
//     decides, for which it names the content that was agreed on, or else its own.
//
// Why that is right: of two calls with different contents, the one whose proposal
// appeared later sees both, so "agreed" is only ever said of one content. And if
// somebody has read nothing but "agreed" votes, then whoever votes later, of any
// content, reads those as well, and names the same content for the slot. So
// whatever was read as kept stays kept. A reader that finds "agreed" beside
// "disputed" votes does not know whether somebody has read the former alone, so it
// has the slot decide, for that content. [TestAgreement] tries all interleavings.

// eventKind is what a row of the table of events is.
type eventKind string

const (
	kept     eventKind = "kept" // by a slot of the log: decides
	proposed eventKind = "proposed"
	agreed   eventKind = "agreed"
	disputed eventKind = "disputed"
)

// ballot is the rows of one key and source.
type ballot interface {
	// add appends a row, which can be read when add returns.
	add(ctx context.Context, r eventRow) error
	// rows returns the rows at one moment: the last one that is kept, if there is
	// one, or else all.
	rows(ctx context.Context) ([]eventRow, error)
	// keep has a slot of the log decide for r, unless another row is kept by one
	// already, and returns what is kept.
	keep(ctx context.Context, r eventRow) (eventRow, error)
}

// errUnseen: BigQuery acknowledged a row, and a query does not see it.
var errUnseen = errors.New("a row that BigQuery acknowledged can't be read: was the table created anew?")

// agree proposes a row to the ballot and returns what is kept.
func agree(ctx context.Context, b ballot, mine eventRow) (eventRow, error) {
	rows, err := addAndRead(ctx, b, mine, proposed)
	if err != nil {
		return eventRow{}, err
	}
	if v := verdictOf(rows); v.exists {
		return v.settle(ctx, b)
	}
	vote := disputed
	if unanimous(rows, mine.Digest) {
		vote = agreed
	}
	if rows, err = addAndRead(ctx, b, mine, proposed, vote); err != nil {
		return eventRow{}, err
	}
	if v := verdictOf(rows); v.exists {
		return v.settle(ctx, b)
	}
	return b.keep(ctx, mine)
}

// addAndRead appends the last of the steps so far and reads the ballot, which must
// have all of them, unless a slot of the log has decided.
func addAndRead(ctx context.Context, b ballot, mine eventRow, steps ...eventKind) ([]eventRow, error) {
	if err := b.add(ctx, mine.step(steps[len(steps)-1])); err != nil {
		return nil, err
	}
	rows, err := b.rows(ctx)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		seen := func(r eventRow) bool {
			return r.Kind == kept || r.Writer == mine.Writer && r.Kind == step
		}
		if !slices.ContainsFunc(rows, seen) {
			return nil, errUnseen
		}
	}
	return rows, nil
}

// unanimous says whether every proposal is of the content with that digest.
func unanimous(rows []eventRow, digest string) bool {
	return !slices.ContainsFunc(rows, func(r eventRow) bool { return r.Kind == proposed && r.Digest != digest })
}

// verdict is what the rows of a ballot say. Without exists, nothing is kept yet;
// without settled, the row is the only one that may be kept, but a slot of the log
// has to say so.
type verdict struct {
	row             eventRow
	exists, settled bool
}

// verdictOf reads the rows of a ballot. Votes count beside the proposal of the same
// writer only: those of a table that was created anew in between don't.
func verdictOf(rows []eventRow) verdict {
	var v verdict
	proposals := make(map[string]bool)
	for _, r := range rows {
		if r.Kind == kept && r.Seq > v.row.Seq {
			v = verdict{row: r, exists: true, settled: true}
		}
		if r.Kind == proposed {
			proposals[r.Writer] = true
		}
	}
	if v.exists {
		return v
	}
	votes := slices.DeleteFunc(slices.Clone(rows), func(r eventRow) bool {
		return r.Kind != agreed && r.Kind != disputed || !proposals[r.Writer]
	})
	v.settled = true
	for _, r := range votes {
		switch {
		case r.Kind == disputed:
			v.settled = false
		case !v.exists || r.before(v.row):
			v.row, v.exists = r, true
		}
	}
	return v
}

// before orders the rows of those who agreed on a content: one of them is the event
// that is kept, with its ID, its time and its attributes. Those may change when an
// event that began earlier votes later; the content can't.
func (r eventRow) before(other eventRow) bool {
	return cmp.Or(r.CreatedAt.Compare(other.CreatedAt), cmp.Compare(r.Writer, other.Writer)) < 0
}

// settle returns what is kept, after a slot of the log has decided if need be.
func (v verdict) settle(ctx context.Context, b ballot) (eventRow, error) {
	if v.settled {
		return v.row, nil
	}
	return b.keep(ctx, v.row)
}
