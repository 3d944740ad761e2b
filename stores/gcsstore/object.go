package gcsstore

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"

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
		return readJSON(response, &a)
	})
	return a, err
}

func readJSON(response *http.Response, into any) error {
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
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
	store *Store
	ctx   context.Context
	query url.Values // of the next one
}

func (s *Store) pages(ctx context.Context, n names, most int) pages {
	query := url.Values{"prettyPrint": {"false"}, "projection": {"noAcl"}, "maxResults": {strconv.Itoa(most)},
		"fields": {"kind,nextPageToken,items(name,metadata,timeCreated,generation)"}, "prefix": {n.prefix}}
	if n.from != "" {
		query.Set("startOffset", n.from)
	}
	if n.to != "" {
		query.Set("endOffset", n.to)
	}
	return pages{s, ctx, query}
}

// next returns the next page, and whether there may be more after it. Class A.
func (p pages) next() (page []listed, more bool, err error) {
	for {
		answer, err := p.ask()
		switch {
		case err != nil && missing(err) != present:
			return nil, false, p.store.noBucket()
		case err != nil:
			return nil, false, p.store.unexpected(p.ctx, p.query.Get("prefix"), err)
		}
		for _, o := range answer.Items {
			page = append(page, listed{o.Name, o.Metadata, o.TimeCreated, o.Generation})
		}
		p.query.Set("pageToken", answer.NextPageToken)
		if len(page) > 0 || answer.NextPageToken == "" {
			return page, answer.NextPageToken != "", nil
		}
	}
}

// listAnswer is the answer to a list, in the form of the JSON API.
type listAnswer struct {
	Kind          string
	NextPageToken string
	Items         []struct {
		Name string
		attributes
	}
}

func (p pages) ask() (answer *listAnswer, err error) {
	err = try(p.ctx, func() error {
		request, err := http.NewRequestWithContext(p.ctx, http.MethodGet, p.store.clients.objects+"?"+p.query.Encode(), nil)
		if err != nil {
			return err
		}
		response, err := p.store.send(request)
		if err != nil {
			return err
		}
		answer = nil
		if err := readJSON(response, &answer); err != nil {
			return err
		}
		return p.store.checkList(answer)
	})
	return answer, err
}

// kindsOfList are what Cloud Storage and the emulators say that a list is, as far as they say so.
var kindsOfList = []string{"storage#objects", "#storage/objects", ""}

// checkList says what in the answer to a list can't be Cloud Storage's. Without this, what stands between could make a
// bucket look empty.
func (s *Store) checkList(answer *listAnswer) error {
	if answer == nil || !slices.Contains(kindsOfList, answer.Kind) {
		return s.foreign("it is no list of objects")
	}
	for _, o := range answer.Items {
		if o.Name == "" {
			return s.foreign("it lists an object without a name")
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
