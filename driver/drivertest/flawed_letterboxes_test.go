package drivertest_test

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

// flawedBox is a memory store with a flaw in what it does with letters.
type flawedBox struct {
	*memstore.Store
	add     func(s *memstore.Store, d driver.DeadLetter) (driver.DeadLetter, bool) // false: it is not kept
	list    func(ctx context.Context, s *memstore.Store, q driver.LetterQuery) (driver.LetterPage, error)
	read    func(ctx context.Context, s *memstore.Store, ref string) (driver.DeadLetter, error)
	delete  func(ctx context.Context, s *memstore.Store, ref string) error
	inspect func(k *driver.KeyState)
}

func (f *flawedBox) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	if f.add != nil {
		var keep bool
		if d, keep = f.add(f.Store, d); !keep {
			return nil
		}
	}
	return f.Store.AddDeadLetter(ctx, d)
}

func (f *flawedBox) ListLetters(ctx context.Context, q driver.LetterQuery) (driver.LetterPage, error) {
	if f.list != nil {
		return f.list(ctx, f.Store, q)
	}
	return f.Store.ListLetters(ctx, q)
}

func (f *flawedBox) ReadLetter(ctx context.Context, ref string) (driver.DeadLetter, error) {
	if f.read != nil {
		return f.read(ctx, f.Store, ref)
	}
	return f.Store.ReadLetter(ctx, ref)
}

func (f *flawedBox) DeleteLetter(ctx context.Context, ref string) error {
	if f.delete != nil {
		return f.delete(ctx, f.Store, ref)
	}
	return f.Store.DeleteLetter(ctx, ref)
}

func (f *flawedBox) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	k, err := f.Store.Inspect(ctx, key)
	if f.inspect != nil {
		f.inspect(&k)
	}
	return k, err
}

var letterBoxFlaws = []struct {
	name   string
	open   func() *flawedBox
	breaks []string
}{
	{"loses the path", func() *flawedBox {
		return &flawedBox{read: func(ctx context.Context, s *memstore.Store, ref string) (driver.DeadLetter, error) {
			d, err := s.ReadLetter(ctx, ref)
			d.Path = ""
			return d, err
		}}
	}, []string{"A letter is read"}},
	{"shares what it read", func() *flawedBox {
		read := make(map[string]driver.DeadLetter)
		return &flawedBox{read: func(ctx context.Context, s *memstore.Store, ref string) (driver.DeadLetter, error) {
			d, err := s.ReadLetter(ctx, ref)
			if shared, is := read[ref]; is {
				d = shared
			}
			read[ref] = d
			return d, err
		}}
	}, []string{"A letter that is read"}},
	{"lists the first page alone", func() *flawedBox {
		return lettersListed(func(page *driver.LetterPage) { page.Next = "" })
	}, []string{"All pages"}},
	{"forgets the reason", func() *flawedBox {
		return lettersListed(func(page *driver.LetterPage) {
			for i := range page.Letters {
				page.Letters[i].Reason = ""
			}
		})
	}, []string{"All pages"}},
	{"counts from the beginning", func() *flawedBox {
		return &flawedBox{list: func(ctx context.Context, s *memstore.Store, q driver.LetterQuery) (driver.LetterPage, error) {
			all, err := s.ListLetters(ctx, driver.LetterQuery{})
			begin, errCursor := strconv.Atoi(cmp.Or(q.Cursor, "0"))
			if errCursor != nil || begin == 0 && q.Cursor != "" {
				return driver.LetterPage{}, driver.Permanent(errors.New("bad cursor"))
			}
			begin = min(begin, len(all.Letters))
			end := min(begin+cmp.Or(q.Limit, driver.DefaultLimit), len(all.Letters))
			page := driver.LetterPage{Letters: all.Letters[begin:end]}
			if end < len(all.Letters) {
				page.Next = strconv.Itoa(end)
			}
			return page, err
		}}
	}, []string{"Letters that come and go"}},
	{"deletes the first", func() *flawedBox {
		return &flawedBox{delete: func(ctx context.Context, s *memstore.Store, ref string) error {
			if _, err := s.ReadLetter(ctx, ref); err != nil {
				return err
			}
			page, err := s.ListLetters(ctx, driver.LetterQuery{Limit: 1})
			return errors.Join(err, s.DeleteLetter(ctx, page.Letters[0].Ref))
		}}
	}, []string{"A deleted letter is gone"}},
	{"keeps nothing that was deleted", func() *flawedBox {
		gone := make(map[string]bool)
		return &flawedBox{add: func(_ *memstore.Store, d driver.DeadLetter) (driver.DeadLetter, bool) {
			return d, !gone[d.ID]
		}, delete: func(ctx context.Context, s *memstore.Store, ref string) error {
			d, err := s.ReadLetter(ctx, ref)
			gone[d.ID] = true
			return errors.Join(err, s.DeleteLetter(ctx, ref))
		}}
	}, []string{"A deleted letter may"}},
	{"lower-cases keys", func() *flawedBox {
		return &flawedBox{add: func(_ *memstore.Store, d driver.DeadLetter) (driver.DeadLetter, bool) {
			d.Key = strings.ToLower(d.Key)
			return d, true
		}}
	}, []string{"Letters of any key"}},
	{"has two names for a letter", func() *flawedBox {
		return &flawedBox{inspect: func(k *driver.KeyState) {
			for i := range k.Letters {
				k.Letters[i].Ref = "letter " + k.Letters[i].Ref
			}
		}}
	}, []string{"A letter is found by its key"}},
	{"trims names", func() *flawedBox {
		return &flawedBox{delete: func(ctx context.Context, s *memstore.Store, ref string) error {
			return s.DeleteLetter(ctx, strings.TrimSpace(ref))
		}}
	}, []string{"There is no letter"}},
	{"begins again", func() *flawedBox {
		return &flawedBox{list: func(ctx context.Context, s *memstore.Store, q driver.LetterQuery) (driver.LetterPage, error) {
			page, err := s.ListLetters(ctx, q)
			if driver.IsPermanent(err) {
				return s.ListLetters(ctx, driver.LetterQuery{})
			}
			return page, err
		}}
	}, []string{"A cursor that no page"}},
	{"deletes when it is too late", func() *flawedBox {
		return &flawedBox{delete: func(ctx context.Context, s *memstore.Store, ref string) error {
			return errors.Join(ctx.Err(), s.DeleteLetter(context.WithoutCancel(ctx), ref))
		}}
	}, []string{"A context that has ended"}},
}

// lettersListed spoils each page.
func lettersListed(spoil func(*driver.LetterPage)) *flawedBox {
	return &flawedBox{list: func(ctx context.Context, s *memstore.Store, q driver.LetterQuery) (driver.LetterPage, error) {
		page, err := s.ListLetters(ctx, q)
		spoil(&page)
		return page, err
	}}
}
