package straight

import (
	"context"
	"errors"
	"io"
	"net/http"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
)

// Cloud is a [Store] in a bucket of Cloud Storage.
type Cloud struct{ Bucket *storage.BucketHandle }

// Put implements [Store].
func (c Cloud) Put(ctx context.Context, name string, content []byte) error {
	return write(ctx, c.Bucket.Object(name), content)
}

// Create implements [Store].
func (c Cloud) Create(ctx context.Context, name string, content []byte) error {
	err := write(ctx, c.Bucket.Object(name).If(storage.Conditions{DoesNotExist: true}), content)
	var refused *googleapi.Error
	if errors.As(err, &refused) && refused.Code == http.StatusPreconditionFailed {
		return ErrExists
	}
	return err
}

func write(ctx context.Context, object *storage.ObjectHandle, content []byte) error {
	w := object.NewWriter(ctx)
	w.ChunkSize = 0 // one request, and no buffer of 16 MiB
	_, err := w.Write(content)
	return errors.Join(err, w.Close())
}

// List implements [Store].
func (c Cloud) List(ctx context.Context, prefix string) (names []string, err error) {
	objects := c.Bucket.Objects(ctx, &storage.Query{Prefix: prefix})
	for {
		object, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, object.Name)
	}
}

// Read implements [Store].
func (c Cloud) Read(ctx context.Context, name string) ([]byte, error) {
	r, err := c.Bucket.Object(name).NewReader(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
