package serve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/storage"

	"example.com/eventdriver"
	"example.com/eventdriver/internal/fake/gcs"
)

// startStore starts the services that the store needs, and points the function at them.
func (l *local) startStore(ctx context.Context, store string) error {
	switch store {
	case eventdriver.StoreGCS:
		return l.startStorage(ctx)
	case eventdriver.StoreBigQuery:
		return l.startBigQuery(ctx)
	}
	return nil
}

// startStorage starts a Cloud Storage unless there is one, makes the bucket, and points the
// function at them.
func (l *local) startStorage(ctx context.Context) error {
	if os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		fake, err := gcs.Start("127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("cloud storage: %w", err)
		}
		l.closers = append(l.closers, fake.Close)
		if l.options.data != "" {
			if err := fake.KeepIn(l.options.data); err != nil {
				return fmt.Errorf("-data: %w", err)
			}
		}
		if err := l.setenv("STORAGE_EMULATOR_HOST", fake.Host()); err != nil {
			return err
		}
	}
	name := l.settings.setUnlessSet("GCS_BUCKET", "local")
	client, err := storage.NewClient(ctx)
	if err != nil {
		return fmt.Errorf("cloud storage at STORAGE_EMULATOR_HOST=%s: %w", os.Getenv("STORAGE_EMULATOR_HOST"), err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	bucket := client.Bucket(name)
	_, err = bucket.Attrs(ctx)
	if errors.Is(err, storage.ErrBucketNotExist) {
		err = bucket.Create(ctx, "local", nil)
	}
	if err != nil {
		return fmt.Errorf("bucket %s at STORAGE_EMULATOR_HOST=%s: %w", name, os.Getenv("STORAGE_EMULATOR_HOST"), err)
	}
	return nil
}

// setenv sets a variable of this process until stop.
func (l *local) setenv(name, value string) error {
	before, set := os.LookupEnv(name)
	l.closers = append(l.closers, func() error {
		if set {
			return os.Setenv(name, before)
		}
		return os.Unsetenv(name)
	})
	return os.Setenv(name, value)
}

// emulators are the variables that name those of the stores.
var emulators = []string{"STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"}

// noteEmulators notes where the store's emulators are, before proxies take their place.
func (l *local) noteEmulators() {
	l.emulators = make(map[string]string)
	for _, name := range emulators {
		if host := os.Getenv(name); host != "" {
			l.emulators[name] = host
		}
	}
}

// proxies starts a proxy before each emulator, for one instance, and returns their addresses by
// the variables that name the emulators.
func (l *local) proxies(id string) (map[string]string, error) {
	hosts := make(map[string]string)
	for name, host := range l.emulators {
		proxy, err := l.Troubles.StartProxy(id, strings.TrimPrefix(host, "http://"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		l.closers = append(l.closers, proxy.Close)
		hosts[name] = proxy.Host()
	}
	return hosts, nil
}
