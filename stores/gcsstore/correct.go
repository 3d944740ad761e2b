package gcsstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
)

// Correct implements [driver.Corrector]. What was there becomes an object of its own, in the folder
// corrected/SOURCE of its key. It costs two Class A and two Class B operations.
func (s *Store) Correct(ctx context.Context, m driver.Message, c driver.Correction) error {
	if err := s.correct(ctx, m, c); err != nil {
		return failed(OpCorrect, m.Key, m.Source, err)
	}
	return nil
}

// correct tries for as long as it may, as replace does. What was there is written first. It is named by
// its own bytes and by the correction, so that whoever tries again writes it once.
func (s *Store) correct(ctx context.Context, m driver.Message, c driver.Correction) error {
	ctx, cancel, err := s.beginEvent(ctx, OpCorrect, m.Key, m.Source)
	if err != nil {
		return err
	}
	defer cancel()
	if err := cmp.Or(driver.ValidCorrection(m, c), checkContent(m)); err != nil {
		return err
	}
	for pause := rewritingBy(m.ID, m.Source, c.By); ; {
		was, generation, err := s.lookUp(ctx, m.Key, m.Source, m.Content)
		if err != nil {
			return err
		}
		next, changes := was.Correct(m, c)
		if !changes {
			return nil
		}
		e := keptEvent{Succession: next}
		if e.Was, err = s.writeCorrected(ctx, was, c); err == nil {
			err = s.overwrite(ctx, e, generation)
		}
		if !errors.Is(err, errRefused) {
			return err
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

// The fields of the metadata of an event that was corrected, and of what was there before.
const (
	fieldWas       = "was"       // of both: names the object of what was there before
	fieldBy        = "by"        // who has corrected it
	fieldWhy       = "why"       // and why
	fieldCorrected = "corrected" // and when
)

// writeCorrected writes what was there before a correction, and returns its name. It is there already
// where a call before has died, or lost an answer.
func (s *Store) writeCorrected(ctx context.Context, was keptEvent, c driver.Correction) (string, error) {
	m := was.Last
	name, err := nameOfCorrected(was, c)
	if err != nil {
		return "", err
	}
	metadata := describe(m)
	setField(metadata, fieldWas, was.Was)
	setField(metadata, fieldBy, c.By)
	setField(metadata, fieldWhy, c.Why)
	metadata[fieldCorrected] = timeText(c.Time)
	_, err = s.writeAt(ctx, s.layout.corrected(m.Key, m.Source)+name, was, absent, metadata)
	if errors.Is(err, errRefused) {
		return name, nil
	}
	return name, err
}

func nameOfCorrected(was keptEvent, c driver.Correction) (string, error) {
	line, err := encode(was)
	h := sha256.New()
	for _, part := range [][]byte{line, was.Last.Content, []byte(c.By), []byte(timeText(c.Time)), []byte(c.Why)} {
		sum := sha256.Sum256(part) // of one length, so that parts don't run into each other
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), err
}

// ReadCorrected implements [driver.Corrector]. It costs one Class B operation.
func (s *Store) ReadCorrected(ctx context.Context, ref string) (driver.Message, error) {
	opCtx, cancel, err := s.begin(ctx, OpReadCorrected, anyKey, anySource)
	if err != nil {
		return driver.Message{}, failedLetter(OpReadCorrected, ref, err)
	}
	defer cancel()
	m, err := s.readCorrected(opCtx, ref)
	if err != nil {
		return driver.Message{}, failedLetter(OpReadCorrected, ref, err)
	}
	return m, nil
}

func (s *Store) readCorrected(ctx context.Context, ref string) (driver.Message, error) {
	if !s.layout.isCorrected(ref) {
		return driver.Message{}, driver.ErrNotFound
	}
	e, _, err := s.readKept(ctx, ref, nil, func(m driver.Message) bool { return s.isCorrectedOf(m, ref) })
	return e.Last, err
}

// isCorrectedOf says whether m belongs into the object of that name.
func (s *Store) isCorrectedOf(m driver.Message, name string) bool {
	rest, of := strings.CutPrefix(name, s.layout.corrected(m.Key, m.Source))
	return of && !strings.Contains(rest, "/")
}

// isCorrected says whether an object of that name is, or would be, what was there before a correction.
func (l layout) isCorrected(name string) bool {
	if l.folder != "" {
		name = strings.TrimPrefix(name, l.folder+"/")
	}
	key, isKey := keyFolder(name)
	rest, is := strings.CutPrefix(strings.TrimPrefix(name, key), correctedFolder)
	return isKey && is && strings.Count(rest, "/") == 1 && !strings.HasSuffix(rest, "/")
}

// correctedObject is what a list says of an event as it was before it was corrected.
type correctedObject struct {
	driver.Corrected
	was string
}

// addCorrected describes what was there before a correction.
func (k *keyState) addCorrected(ctx context.Context, o listed) error {
	d := described{metadata: o.metadata}
	c := driver.Correction{By: d.text(fieldBy), Why: d.text(fieldWhy), Time: d.time(fieldCorrected)}
	k.corrected[o.name] = correctedObject{driver.Corrected{Correction: c, Ref: o.name}, d.text(fieldWas)}
	if d.err != nil {
		return k.store.unexpected(ctx, o.name, d.err)
	}
	return nil
}

// correctionsOf follows an event's history, from the last correction to the first, or to one that has
// expired. What is not in it was written for a correction that did not come about.
func (k *keyState) correctionsOf(source, was string) (all []driver.Corrected) {
	for folder := k.store.layout.corrected(k.Key, source); was != "" && len(all) < len(k.corrected); {
		c, found := k.corrected[folder+was]
		if !found {
			break
		}
		all, was = append(all, c.Corrected), c.was
	}
	slices.Reverse(all)
	return all
}

// correctedHeader is what an object's header says of how its event came in the place of another.
type correctedHeader struct {
	By  string `json:"by"`
	Why string `json:"why"`
	moment
	Was      string   `json:"was"`
	Contents []string `json:"contents"` // the fingerprints of those that were corrected
}

func toCorrectedHeader(e keptEvent) *correctedHeader {
	c := e.Correction
	return &correctedHeader{By: driver.ToText(c.By), Why: driver.ToText(c.Why), moment: toMoment(c.Time), Was: e.Was,
		Contents: encodePrints(e.Contents)}
}

// into sets what the header says.
func (h *correctedHeader) into(e *keptEvent) (err error) {
	if h == nil {
		return nil
	}
	c := driver.Correction{By: h.By, Why: h.Why}
	c.Time, err = h.time()
	if err = errors.Join(err, fromTexts(&c.By, &c.Why)); err != nil {
		return fmt.Errorf("%w: header: correction: %w", ErrCorrupt, err)
	}
	e.Correction, e.Was = &c, h.Was
	e.Contents, err = decodePrints(h.Contents)
	return err
}
