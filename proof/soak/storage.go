package soak

import (
	"errors"
	"strings"

	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/internal/fake/proxy"
)

const bucket = "orders"

// storage is a Cloud Storage that is replaced by an empty one now and then.
type storage struct {
	now     *gcs.Server
	renewed int // times
}

func newStorage() (*storage, error) {
	now, err := gcs.Start("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	now.CreateBucket(bucket)
	return &storage{now: now}, nil
}

// renew makes the proxy lead to an empty storage from now on.
func (s *storage) renew(p *proxy.Proxy) error {
	next, err := newStorage()
	if err != nil {
		return err
	}
	p.SetTarget(next.now.Host())
	before := s.now
	s.now = next.now
	s.renewed++
	return before.Close()
}

// openClaims counts the claims that are neither completed nor released. The next instance
// would have to wait for these.
func (s *storage) openClaims() (open int, err error) {
	names, err := s.now.Names(bucket)
	if err != nil {
		return 0, err
	}
	done := make(map[string]bool)
	for _, name := range names {
		if key, ok := strings.CutSuffix(name, "/done"); ok {
			done[key] = true
		}
	}
	for _, name := range names {
		key, ok := strings.CutSuffix(name, "/claim")
		if !ok || done[key] {
			continue
		}
		attrs, errAttrs := s.now.Attrs(bucket, name)
		err = errors.Join(err, errAttrs)
		if attrs.Metadata["state"] != "released" {
			open++
		}
	}
	return open, err
}
