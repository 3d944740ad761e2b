package gcsstore_test

import (
	"strconv"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
)

// Both benchmarks report the requests of an operation, as Cloud Storage bills
// them. The fake gets slower the more objects there are, so the times are good
// for comparisons at the same -benchtime=Nx only.

func BenchmarkPersist(b *testing.B) {
	server := gcs.New(b, bucket)
	store := open(b, server)
	content := make([]byte, 1000)
	for i := 0; b.Loop(); i++ {
		if err := store.Persist(b.Context(), driver.Message{Key: strconv.Itoa(i), Source: "event1", Content: content}); err != nil {
			b.Fatal(err)
		}
	}
	report(b, server)
}

func BenchmarkAcquireComplete(b *testing.B) {
	server := gcs.New(b, bucket)
	store := open(b, server)
	for i := 0; b.Loop(); i++ {
		claim, err := store.Acquire(b.Context(), driver.NewClaim(strconv.Itoa(i)), time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		if err := store.Complete(b.Context(), claim, driver.OutcomeProcessed); err != nil {
			b.Fatal(err)
		}
	}
	report(b, server)
}

func report(b *testing.B, server *gcs.Server) {
	b.Helper()
	counts := server.Counts()
	b.ReportMetric(float64(counts.A)/float64(b.N), "classA/op")
	b.ReportMetric(float64(counts.B)/float64(b.N), "classB/op")
}
