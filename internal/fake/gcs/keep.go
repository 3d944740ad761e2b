package gcs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// folder keeps a server's objects in files, one for each, since the fake's own backend of files
// breaks on some names.
type folder struct {
	name string
	lock *os.File
	mu   sync.Mutex // a file is written
}

// kept is an object in its file.
type kept struct {
	Bucket      string            `json:"bucket"`
	Name        string            `json:"name"`
	ContentType string            `json:"contentType,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Generation  int64             `json:"generation,string"`
	Created     time.Time         `json:"created"`
	Updated     time.Time         `json:"updated"`
	Content     []byte            `json:"content"`
}

// ErrInUse is the failure to keep objects in a folder that another server uses.
var ErrInUse = errors.New("another program uses the folder")

// KeepIn puts the objects that are kept in a folder into the server, with their generations,
// metadata and times, and keeps there from now on what requests change: a request is answered
// when its change is kept. So nothing is lost when the process is killed. Call it before the
// first request, once. Empty buckets, and changes past the socket, are not kept.
func (s *Server) KeepIn(name string) error {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return err
	}
	lock, err := lockFolder(name)
	if err != nil {
		return err
	}
	f := &folder{name: name, lock: lock}
	if err := f.load(s.fakes); err != nil {
		return errors.Join(err, lock.Close())
	}
	s.mu.Lock()
	s.folder = f
	s.mu.Unlock()
	return nil
}

func (f *folder) load(fakes *shards) error {
	return filepath.WalkDir(f.name, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".json" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var k kept
		if err := json.Unmarshal(text, &k); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fakes.createObject(fakestorage.Object{
			ObjectAttrs: fakestorage.ObjectAttrs{BucketName: k.Bucket, Name: k.Name, ContentType: k.ContentType,
				Metadata: k.Metadata, Generation: k.Generation, Created: k.Created, Updated: k.Updated},
			Content: k.Content,
		})
		return nil
	})
}

// serve has the fakes answer a request, and keeps what it has changed before the client knows.
func (f *folder) serve(fakes *shards, w http.ResponseWriter, r *http.Request, body []byte, request Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		fakes.serve(w, r, body, request)
		return
	}
	answer := httptest.NewRecorder()
	fakes.serve(answer, r, body, request)
	if err := f.keep(fakes, request, answer.Body.Bytes()); err != nil {
		http.Error(w, "the object can't be kept: "+err.Error(), http.StatusInternalServerError)
		return
	}
	pass(w, answer)
}

// keep writes the file of the object that a request was about, as the object is now.
func (f *folder) keep(fakes *shards, request Request, answer []byte) error {
	name := request.Object
	if request.Kind == Insert { // an upload in parts has its name in the answer
		var object struct{ Name string }
		if json.Unmarshal(answer, &object) != nil || object.Name == "" {
			return nil
		}
		name = object.Name
	}
	if name == "" { // it was about a bucket
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := sha256.Sum256([]byte(request.Bucket + "/" + name))
	hash := hex.EncodeToString(sum[:])
	file := filepath.Join(f.name, hash[:2], hash[2:]+".json")
	object, err := fakes.of(name).GetObject(request.Bucket, name)
	if err != nil { // there is none
		if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(kept{Bucket: request.Bucket, Name: name, ContentType: object.ContentType, Metadata: object.Metadata,
		Generation: object.Generation, Created: object.Created, Updated: object.Updated, Content: object.Content})
	if err != nil {
		return err
	}
	return replace(file, text)
}

// replace writes a file in one step: after a crash, it is the old one or the new one.
func replace(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	part := file + ".part"
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	return os.Rename(part, file)
}
