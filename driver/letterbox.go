package driver

import "context"

// LetterBox is a [DeadLetterStore] whose letters can be listed, read and deleted. What
// [EventStore] says of concurrency and contexts holds for it, too.
type LetterBox interface {
	// ListLetters returns a page of the letters, in any order, described without reading
	// them. Begin without a Cursor, and go on with the Next of each page as the Cursor of the
	// next query, until Next is empty. Then each letter that was kept all the time was in
	// exactly one page, and any other in one at most. A Cursor that no page had is refused,
	// as a permanent error.
	ListLetters(ctx context.Context, q LetterQuery) (LetterPage, error)

	// ReadLetter returns the letter that the store calls ref, as it was added, or
	// [ErrNotFound]. [Inspector] calls a letter the same.
	ReadLetter(ctx context.Context, ref string) (DeadLetter, error)

	// DeleteLetter deletes the letter that the store calls ref, or returns [ErrNotFound], as
	// it does where it was deleted before. From then on it is not listed, nor found by its key,
	// until it is added again.
	DeleteLetter(ctx context.Context, ref string) error
}

// LetterQuery says which letters are listed. The zero query lists the first of all.
type LetterQuery struct {
	Cursor string // the Next of the page before; empty: at the beginning
	Limit  int    // how many letters a page has at most; less than 1: [DefaultLimit]
}

// LetterPage is what one call of ListLetters has found.
type LetterPage struct {
	Letters []LetterRef
	Next    string // the Cursor of the next page; empty on the last page
}
