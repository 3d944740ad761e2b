package trouble

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Remote asks an [Asker] in another process, which serves [Serve] at this URL.
type Remote string

// Ask implements [Asker].
func (r Remote) Ask(ctx context.Context, key string) (t Trouble, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, string(r)+"?key="+url.QueryEscape(key), nil)
	if err != nil {
		return t, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return t, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return t, fmt.Errorf("the answer is %s", answer.Status)
	}
	return t, json.NewDecoder(answer.Body).Decode(&t)
}

// Serve answers for an asker.
func Serve(asker Asker) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, err := asker.Ask(r.Context(), r.URL.Query().Get("key"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(t) // the instance may have been killed
	})
}
