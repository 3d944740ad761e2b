// Command noop is a function that does nothing: what the framework and net/http take.
package main

import (
	"net/http"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"example.com/eventdriver/bench/subject"
)

func init() {
	functions.HTTP("EventDriver", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
}

func main() { subject.Serve() }
