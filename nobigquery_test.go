//go:build nobigquery

package eventdriver

import (
	"strings"
	"testing"
)

// onBigQuery skips what needs BigQuery.
func onBigQuery(t *testing.T) Config {
	t.Helper()
	t.Skip("BigQuery is left out of this program")
	return Config{}
}

func TestStoreThatIsLeftOut(t *testing.T) {
	for _, name := range []string{"EVENT_STORE", "CLAIM_STORE"} {
		_, err := configFrom(map[string]string{name: StoreBigQuery})
		want := name + ` must be memory or gcs; it is "bigquery": it was left out of this program, which was built with -tags nobigquery`
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}
