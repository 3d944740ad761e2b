package gcsstore

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"
	raw "google.golang.org/api/storage/v1"

	"example.com/eventdriver/driver"
)

// rewriting is the pauses before an object is written again that another has written at the
// same moment: Cloud Storage takes about one write a second for one name, from all writers
// together. What is added to that second differs from writer to writer, by a hash of what
// each writes, so that those who were refused together do not come back together. It is no
// random number, so that the same calls take the same time.
type rewriting struct {
	writer uint32
	tries  int
}

func rewritingBy(writer ...string) rewriting {
	return rewriting{writer: crc32.ChecksumIEEE([]byte(strings.Join(writer, "\x00")))}
}

// wait pauses, longer each time. It returns the context's error if that ends first.
func (r *rewriting) wait(ctx context.Context) error {
	most := min(time.Second<<r.tries, 8*time.Second)
	r.tries = min(r.tries+1, 3)
	part := float64(r.writer) / (1 << 32)
	r.writer = crc32.ChecksumIEEE(binary.BigEndian.AppendUint32(nil, r.writer))
	return gax.Sleep(ctx, time.Second+time.Duration(part*float64(most)))
}

// stat returns what a list would say of an object. Class B.
func (s *Store) stat(ctx context.Context, name string) (listed, error) {
	o, err := s.attributes(ctx, name)
	if err != nil {
		return listed{}, s.notThere(ctx, name, err)
	}
	if o.Generation == absent {
		return listed{}, s.unexpected(ctx, name, s.foreign(noGeneration))
	}
	return listed{name, o.Metadata, o.TimeCreated, o.Generation}, nil
}

// attributes are what is kept of an object beside its content.
type attributes struct {
	Metadata    map[string]string
	TimeCreated time.Time // when this generation was stored
	Generation  int64     `json:",string"`
}

func (s *Store) attributes(ctx context.Context, name string) (a attributes, err error) {
	err = try(ctx, func() error {
		response, err := s.get(ctx, name, "fields=metadata,timeCreated,generation", "")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &a)
	})
	return a, err
}

// listed is an object without its content, as a list has it.
type listed struct {
	name     string
	metadata map[string]string
	created  time.Time // when this generation was stored

	generation int64
}

// list returns the objects whose names begin with prefix, ordered by the names'
// bytes. Class A, once for each 1,000.
func (s *Store) list(ctx context.Context, prefix string) ([]listed, error) {
	pages := s.pages(ctx, names{prefix: prefix}, mostListed)
	var found []listed
	for more := true; more; {
		var page []listed
		var err error
		if page, more, err = pages.next(); err != nil {
			return nil, err
		}
		found = append(found, page...)
	}
	return found, nil
}

// mostListed is how many objects Cloud Storage returns at once, at most.
const mostListed = 1000

// names are those with a prefix which do not come before one name, and come before another; "": any.
type names struct{ prefix, from, to string }

// pages are the answers to a list, of a number of objects each at most.
type pages struct {
	store  *Store
	ctx    context.Context
	prefix string
	call   *raw.ObjectsListCall
}

func (s *Store) pages(ctx context.Context, n names, most int) pages {
	call := s.clients.objects.List(s.settings.bucket).Projection("noAcl").MaxResults(int64(most)).
		Fields("kind", "nextPageToken", "items(name,metadata,timeCreated,generation)").
		Prefix(n.prefix).StartOffset(n.from).EndOffset(n.to).Context(ctx)
	return pages{s, ctx, n.prefix, call}
}

// next returns the next page, and whether there may be more after it. Class A.
func (p pages) next() (page []listed, more bool, err error) {
	for {
		answer, err := p.ask()
		switch {
		case err != nil && missing(err) != present:
			return nil, false, p.store.noBucket()
		case err != nil:
			return nil, false, p.store.unexpected(p.ctx, p.prefix, err)
		}
		for _, o := range answer.Items {
			created, _ := time.Parse(time.RFC3339, o.TimeCreated)
			page = append(page, listed{o.Name, o.Metadata, created, o.Generation})
		}
		if len(page) > 0 || answer.NextPageToken == "" {
			p.call.PageToken(answer.NextPageToken)
			return page, answer.NextPageToken != "", nil
		}
		p.call.PageToken(answer.NextPageToken)
	}
}

func (p pages) ask() (answer *raw.Objects, err error) {
	err = try(p.ctx, func() error {
		if answer, err = p.call.Do(); err != nil {
			return err
		}
		return p.store.checkList(answer)
	})
	return answer, err
}

// kindsOfList are what Cloud Storage, fake-gcs-server and ours, and the emulator of Firebase say that a list is.
var kindsOfList = []string{"storage#objects", "#storage/objects"}

// checkList says what the answer to a list lacks. Without this, what stands between would make a bucket look empty.
func (s *Store) checkList(answer *raw.Objects) error {
	if answer == nil || !slices.Contains(kindsOfList, answer.Kind) {
		return s.foreign("it is no list of objects")
	}
	for _, o := range answer.Items {
		if o == nil || o.Name == "" || o.Generation == absent {
			return s.foreign("it lists an object without a name or a generation")
		}
	}
	return nil
}

// unexpected names the object that err happened to. If the context has ended, err
// is due to that, whatever the client made of it. An object that is corrupt stays
// so: that is a permanent error.
func (s *Store) unexpected(ctx context.Context, name string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	err = fmt.Errorf("gs://%s/%s: %w", s.settings.bucket, name, err)
	if errors.Is(err, ErrCorrupt) {
		return driver.Reject(driver.ReasonCorrupt, err)
	}
	return err
}

// isStatus says whether the service answered with that status.
func isStatus(err error, code int) bool {
	e, ok := errors.AsType[*googleapi.Error](err)
	return ok && e.Code == code
}
