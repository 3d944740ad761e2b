package bqstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore/internal/bq"
)

// cursorMark begins a cursor of letters; the last ref that was listed follows.
const cursorMark = "after:"

// ListLetters implements [driver.LetterBox]. The letters are ordered by their refs. It costs one
// query, which reads no header and no body.
func (s *Store) ListLetters(ctx context.Context, q driver.LetterQuery) (page driver.LetterPage, err error) {
	after, isCursor := strings.CutPrefix(q.Cursor, cursorMark)
	var valid error
	if q.Cursor != "" && (!isCursor || after == "") {
		valid = driver.Permanent(fmt.Errorf("%.80q is no cursor", q.Cursor))
	}
	limit := q.Limit
	if limit < 1 {
		limit = driver.DefaultLimit
	}
	err = s.do(ctx, "list letters", "table "+letterTable, valid, func(ctx context.Context) error {
		rows, err := s.letterRows(ctx, letterColumns, "ref > @after", "ref LIMIT "+strconv.Itoa(limit), "after", after)
		page.Letters = refsOf(rows)
		if len(rows) == limit {
			page.Next = cursorMark + rows[limit-1].Ref
		}
		return err
	})
	return page, err
}

// ReadLetter implements [driver.LetterBox]. It costs one query.
func (s *Store) ReadLetter(ctx context.Context, ref string) (d driver.DeadLetter, err error) {
	err = s.do(ctx, "read letter", fmt.Sprintf("letter %q", ref), nil, func(ctx context.Context) error {
		rows, err := s.rowsOf(ctx, letterColumns+letterContent, ref)
		if err == nil {
			d, err = rows[0].letter()
		}
		return err
	})
	return d, err
}

// DeleteLetter implements [driver.LetterBox]. BigQuery can't delete a row soon after it was appended, so
// for each of the letter's rows one is appended that says that it is deleted. The row itself stays for the
// retention. It costs a query and a request for each time that the letter was added.
func (s *Store) DeleteLetter(ctx context.Context, ref string) error {
	return s.do(ctx, "delete letter", fmt.Sprintf("letter %q", ref), nil, func(ctx context.Context) error {
		rows, err := s.rowsOf(ctx, letterColumns, ref)
		for _, r := range rows {
			if err == nil {
				err = s.db.InsertAll(ctx, letterTable, r.deletion())
			}
		}
		return err
	})
}

// deletion says that the row is deleted. A row that was sent twice has it twice; that is the same.
func (r letterRow) deletion() bq.Row {
	return bq.Row{"form": form, "ref": r.Ref, "writer": r.Writer, "deleted": true, "reason": r.Reason, "error": "", "handler": "",
		"event_id": "", "key": r.Key, "source": "", "attempt": 0, "header": "{}", "body": []byte{},
		"created_at": time.Now().UTC().Truncate(time.Microsecond)}
}

// rowsOf returns these columns of a letter's rows, or [driver.ErrNotFound].
func (s *Store) rowsOf(ctx context.Context, columns, ref string) ([]letterRow, error) {
	rows, err := s.letterRows(ctx, columns, "ref = @ref", "created_at", "ref", driver.ToText(ref))
	if err == nil && len(rows) == 0 {
		err = driver.ErrNotFound
	}
	return rows, err
}

// refsOf describes the letters, each once.
func refsOf(rows []letterRow) (letters []driver.LetterRef) {
	for _, r := range distinct(rows) {
		letters = append(letters, driver.LetterRef{Ref: r.Ref, Reason: driver.Reason(fromText(r.Reason)), Key: fromText(r.Key),
			Source: fromText(r.Source), ID: fromText(r.EventID), Added: r.Added})
	}
	return letters
}

// distinct returns the first row of each letter.
func distinct(rows []letterRow) (first []letterRow) {
	seen := make(map[string]bool)
	for _, r := range rows {
		if r.Ref == "" || !seen[r.Ref] {
			first = append(first, r)
		}
		seen[r.Ref] = true
	}
	return first
}
