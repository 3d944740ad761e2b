package ledger

import (
	"encoding/json"
	"net/http"
)

// ServeHTTP implements [http.Handler]: runs are posted to it by [Run.Begin] and
// [Run.Act].
func (l *Ledger) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var r Run
	if err := json.NewDecoder(request.Body).Decode(&r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var answer Answer
	switch request.URL.Path {
	case beginPath:
		answer = l.begin(r)
	case actPath:
		if answer = l.act(r); answer == Applied {
			l.config.OnApplied(r)
		}
	default:
		http.NotFound(w, request)
		return
	}
	if answer == Stale {
		l.config.OnStale(r)
	}
	_ = json.NewEncoder(w).Encode(answer) // whoever asked may have been killed
}
