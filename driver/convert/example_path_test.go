package convert_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"example.com/eventdriver/driver/convert"
)

// Two triggers on one bucket, whose events have the same ce-source, call two paths.
func ExampleSourcePath() {
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, myPipeline)
	for _, source := range []string{"uploaded", "removed"} {
		r := httptest.NewRequest(http.MethodPost, convert.SourcePath(source), strings.NewReader(`{"bucket":"parcels","name":"42"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Ce-Specversion", "1.0")
		r.Header.Set("Ce-Id", source)
		r.Header.Set("Ce-Type", "google.cloud.storage.object.v1.finalized")
		r.Header.Set("Ce-Source", "//storage.googleapis.com/projects/_/buckets/parcels")
		r.Header.Set("Ce-Key", "42")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(r.URL.Path, w.Code)
	}
	// Output:
	// order 42, uploaded: {"bucket":"parcels","name":"42"}
	// /events/uploaded 204
	// order 42, removed: {"bucket":"parcels","name":"42"}
	// /events/removed 204
}

// A router of one's own says by the context which source a request is of.
func ExampleWithSource() {
	handler := convert.ToHTTPHandler(convert.CloudEventToInput, myPipeline)
	router := http.NewServeMux()
	router.HandleFunc("POST /hooks/{source}", func(w http.ResponseWriter, r *http.Request) {
		handler(w, r.WithContext(convert.WithSource(r.Context(), r.PathValue("source"))))
	})

	r := httptest.NewRequest(http.MethodPost, "/hooks/paid", strings.NewReader(`{"specversion":"1.0","id":"1","source":"/bank","type":"paid","key":"42","data":1}`))
	r.Header.Set("Content-Type", "application/cloudevents+json")
	router.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// order 42, paid: 1
}
