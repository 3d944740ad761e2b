package pubsub

import (
	"encoding/json"
	"io"
	"net/http"
)

// mostPushed is the most bytes of what is pushed: a message of 10 MB in base64.
const mostPushed = 16 << 20

// pushed takes what the emulator pushes, and answers as the function does.
func (b *Bus) pushed(w http.ResponseWriter, r *http.Request) {
	push, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostPushed))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var p struct{ Message struct{ MessageID string } }
	if err := json.Unmarshal(push, &p); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := p.Message.MessageID
	status, err := b.forward(r.Context(), r.PathValue("topic"), b.attempt(id), push)
	if err != nil {
		http.Error(w, err.Error(), max(status, http.StatusServiceUnavailable)) // it is delivered again
		return
	}
	b.acknowledged(id)
	w.WriteHeader(http.StatusNoContent)
}
