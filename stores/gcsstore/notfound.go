package gcsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/api/googleapi"

	"example.com/eventdriver/driver"
)

// ErrNoBucket: the bucket does not exist. The error names it.
var ErrNoBucket = errors.New("no such bucket")

// absence is what a request's failure says of that what it asked for.
type absence int

const (
	present       absence = iota // nothing: the failure is another, or a 404 of somebody else
	missingObject                // the object does not exist, or the bucket
	missingBucket                // the bucket does not exist
)

// The words of Cloud Storage for what does not exist.
const (
	sayNoObject = "No such object"
	sayNoBucket = "The specified bucket does not exist"
)

// missing reads a failure. Only Cloud Storage's own 404 says that something does not
// exist. Whatever else stands between, a proxy, a load balancer or another service at
// that address, answers 404 as well, and an event would be taken for absent that is
// kept. So the answer must have the form of the JSON API's errors; or be one of the two
// sentences alone, which is how downloads say it.
func missing(err error) absence {
	e, isAnswer := errors.AsType[*googleapi.Error](err)
	if !isAnswer || e.Code != http.StatusNotFound {
		return present
	}
	var answer struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Errors  []struct {
				Reason string `json:"reason"`
			} `json:"errors"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(e.Body), &answer) != nil {
		return saysOf(e.Body, present)
	}
	own := answer.Error
	switch {
	case own.Code != http.StatusNotFound:
		return present
	case len(own.Errors) == 0 || own.Errors[0].Reason != "notFound":
		return saysOf(own.Message, present)
	}
	return saysOf(own.Message, missingObject)
}

// saysOf tells what a sentence says of the object and the bucket.
func saysOf(text string, otherwise absence) absence {
	switch {
	case strings.HasPrefix(text, sayNoObject):
		return missingObject
	case strings.HasPrefix(text, sayNoBucket):
		return missingBucket
	}
	return otherwise
}

// notThere returns driver.ErrNotFound for an object that does not exist, and
// other errors as what they are. The service says of each 404 whether it is the
// object or the bucket that is missing. An emulator that does not say it is believed to
// have the bucket; the first write tells.
func (s *Store) notThere(ctx context.Context, name string, err error) error {
	what := missing(err)
	if what == present && isStatus(err, http.StatusNotFound) {
		what, err = s.lookAgain(ctx, name, err)
	}
	switch what {
	case missingObject:
		return driver.ErrNotFound
	case missingBucket:
		return s.noBucket()
	}
	return s.unexpected(ctx, name, err)
}

// plainNotFound is how fake-gcs-server answers a download of what does not exist.
const plainNotFound = "Not Found\n"

// lookAgain asks for the object's metadata, which always takes the JSON API, where a
// download's 404 is not Cloud Storage's own by its form, and may still be fake-gcs-server's,
// which says no more than any server does. One object is proof enough, if it has words of its
// own for the metadata, too: in front of Cloud Storage it may be a proxy that answers, sometimes.
func (s *Store) lookAgain(ctx context.Context, name string, err error) (absence, error) {
	if e, _ := errors.AsType[*googleapi.Error](err); e.Body != plainNotFound {
		return present, err
	}
	select {
	case s.plainLook <- struct{}{}:
		defer func() { <-s.plainLook }()
	case <-ctx.Done():
		return present, ctx.Err()
	}
	if s.plainSeen {
		return missingObject, err
	}
	_, errAttrs := s.attributes(ctx, name)
	if errAttrs == nil {
		return present, fmt.Errorf("the object exists, and can't be read: %w", err)
	}
	what := missing(errAttrs)
	s.plainSeen = s.plainSeen || what == missingObject && !isCloudStorages(errAttrs)
	return what, errAttrs
}

// isCloudStorages says whether a 404 has the words of Cloud Storage itself.
func isCloudStorages(err error) bool {
	e, isAnswer := errors.AsType[*googleapi.Error](err)
	return isAnswer && saysOf(e.Message, present) != present
}

func (s *Store) noBucket() error {
	return fmt.Errorf("%w: bucket %q does not exist", ErrNoBucket, s.settings.bucket)
}

// both returns the failures of two requests that were sent at once: together, unless they say the same.
func both(err, other error) error {
	if errors.Is(err, ErrNoBucket) && errors.Is(other, ErrNoBucket) {
		return err
	}
	return errors.Join(err, other)
}
