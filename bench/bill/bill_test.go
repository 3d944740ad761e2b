package bill_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/eventdriver/bench/bill"
	"example.com/eventdriver/internal/fake/gcs"
)

// Requests are counted by what Cloud Storage charges for them, and those that it refuses apart.
func TestCounts(t *testing.T) {
	proxy, err := bill.New(gcs.New(t, "b").URL, 0)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	create := "/upload/storage/v1/b/b/o?uploadType=media&name=x&ifGenerationMatch=0"
	for _, r := range []struct {
		method, path string
		status       int
	}{
		{"POST", create, 200}, {"POST", create, 412},
		{"GET", "/storage/v1/b/b/o/x?alt=media", 200}, {"GET", "/storage/v1/b/b/o/y?alt=media", 404},
		{"GET", "/storage/v1/b/b/o?prefix=x", 200}, {"DELETE", "/storage/v1/b/b/o/x", 200},
	} {
		request, err := http.NewRequest(r.method, front.URL+r.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != r.status {
			t.Errorf("%s %s: %s, want %d", r.method, r.path, answer.Status, r.status)
		}
	}
	want := bill.Counts{A: 2, B: 1, Free: 1, Refused: 2, WouldBe: bill.DollarsA + bill.DollarsB}
	if got := proxy.Take(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if got := proxy.Take(); got != (bill.Counts{}) {
		t.Errorf("counted %+v after all was taken", got)
	}
}
