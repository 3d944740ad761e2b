package gcs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"hash/fnv"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// shards are fakes that share the objects: one alone looks through all that it has, some times for
// each request. Objects that have their first three folders in common, as all of a store's key
// have, are in one.
type shards struct {
	options fakestorage.Options
	uploads sync.Map // the fakes of large uploads, by their IDs

	mu  sync.Mutex
	all [32]*fakestorage.Server // the first is there; each other one when it is asked for
}

func newShards(options fakestorage.Options) (*shards, error) {
	first, err := fakestorage.NewServerWithOptions(options)
	if err != nil {
		return nil, err
	}
	s := &shards{options: options}
	s.all[0] = first
	return s, nil
}

func (s *shards) first() *fakestorage.Server { return s.all[0] }

// there returns those that are there, the first one first.
func (s *shards) there() []*fakestorage.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.all[:]), func(one *fakestorage.Server) bool { return one == nil })
}

func (s *shards) stop() {
	for _, one := range s.there() {
		one.Stop()
	}
}

func (s *shards) createBucket(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if one != nil {
			one.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: name})
		}
	}
}

func (s *shards) createObject(o fakestorage.Object) {
	s.createBucket(o.BucketName)
	s.of(o.Name).CreateObject(o)
}

// folders is how many of them say which shard has an object.
const folders = 3

// of returns the fake that has an object.
func (s *shards) of(object string) *fakestorage.Server {
	hash := fnv.New32a()
	for i, folder := range strings.SplitN(object, "/", folders+1) {
		if i < folders {
			_, _ = io.WriteString(hash, folder+"/") // never fails
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	place := &s.all[hash.Sum32()%uint32(len(s.all))]
	if *place == nil {
		*place = s.another()
	}
	return *place
}

// another returns a fake that has the buckets of the first.
func (s *shards) another() *fakestorage.Server {
	one, err := fakestorage.NewServerWithOptions(s.options)
	if err != nil {
		panic(err) // the first has the same options
	}
	buckets, err := s.first().Backend().ListBuckets()
	if err != nil {
		panic(err) // it reads memory
	}
	for _, bucket := range buckets {
		one.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket.Name})
	}
	return one
}

// serve has the fakes answer a request, which has this body.
func (s *shards) serve(w http.ResponseWriter, r *http.Request, body []byte, request Request) {
	id := r.URL.Query().Get("upload_id")
	upload, isPart := s.uploads.Load(id)
	switch {
	case id != "" && isPart:
		upload.(*fakestorage.Server).HTTPHandler().ServeHTTP(w, r)
	case request.Kind == List:
		s.list(w, r, request)
	case request.Kind == Insert:
		s.insert(w, r, cmp.Or(request.Object, nameIn(r, body)))
	case request.Object == "":
		s.bucket(w, r, body)
	default:
		s.of(request.Object).HTTPHandler().ServeHTTP(w, r)
	}
}

// insert creates an object, or begins to.
func (s *shards) insert(w http.ResponseWriter, r *http.Request, object string) {
	one := s.of(object)
	one.HTTPHandler().ServeHTTP(w, r)
	if parts, err := url.Parse(w.Header().Get("Location")); err == nil && parts.Query().Has("upload_id") {
		s.uploads.Store(parts.Query().Get("upload_id"), one)
	}
}

// nameIn returns the name of the object that an upload has in its body; "": it has none there.
func nameIn(r *http.Request, body []byte) string {
	mediaType, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if strings.HasPrefix(mediaType, "multipart/") {
		part, err := multipart.NewReader(bytes.NewReader(body), parameters["boundary"]).NextPart()
		if err != nil {
			return ""
		}
		body, _ = io.ReadAll(part) // what is cut is no JSON
	}
	var object struct{ Name string }
	if json.Unmarshal(body, &object) != nil {
		return ""
	}
	return object.Name
}

// bucket reads or changes a bucket, which all fakes have: those that come to be have the first one's.
func (s *shards) bucket(w http.ResponseWriter, r *http.Request, body []byte) {
	answer := httptest.NewRecorder()
	s.first().HTTPHandler().ServeHTTP(answer, r)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		for _, one := range s.there()[1:] {
			again := r.Clone(r.Context())
			again.Body = io.NopCloser(bytes.NewReader(body))
			one.HTTPHandler().ServeHTTP(httptest.NewRecorder(), again)
		}
	}
	pass(w, answer)
}

// pass gives an answer to the client, which may have gone.
func pass(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// listing is the answer to a list.
type listing struct {
	Kind     string   `json:"kind"`
	Items    []item   `json:"items,omitempty"`
	Prefixes []string `json:"prefixes,omitempty"`
	Next     string   `json:"nextPageToken,omitempty"` // the name of the next object
}

// item is an object in a list.
type item struct {
	name string
	text []byte // JSON
}

// UnmarshalJSON implements [json.Unmarshaler].
func (i *item) UnmarshalJSON(text []byte) error {
	var object struct{ Name string }
	err := json.Unmarshal(text, &object)
	i.name, i.text = object.Name, bytes.Clone(text)
	return err
}

// MarshalJSON implements [json.Marshaler].
func (i item) MarshalJSON() ([]byte, error) { return i.text, nil }

// list puts together what the fakes list.
func (s *shards) list(w http.ResponseWriter, r *http.Request, request Request) {
	if strings.Count(request.Object, "/") >= folders {
		s.of(request.Object).HTTPHandler().ServeHTTP(w, r)
		return
	}
	var all listing
	var next []string
	for _, one := range s.there() {
		answer := httptest.NewRecorder()
		one.HTTPHandler().ServeHTTP(answer, r.Clone(r.Context()))
		var part listing
		if answer.Code != http.StatusOK || json.Unmarshal(answer.Body.Bytes(), &part) != nil {
			pass(w, answer)
			return
		}
		all.Kind, all.Items, all.Prefixes = part.Kind, append(all.Items, part.Items...), append(all.Prefixes, part.Prefixes...)
		if part.Next != "" {
			next = append(next, part.Next)
		}
	}
	most, _ := strconv.Atoi(r.URL.Query().Get("maxResults")) // the fakes have read it
	all.page(next, most)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all) // the client may have gone
}

// page orders what is listed, and cuts it after most; 0: not at all. next are the names at which
// parts of it were cut.
func (l *listing) page(next []string, most int) {
	slices.SortFunc(l.Items, func(a, b item) int { return strings.Compare(a.name, b.name) })
	slices.Sort(l.Prefixes)
	l.Prefixes = slices.Compact(l.Prefixes)
	if most > 0 && len(l.Items) > most {
		next = append(next, l.Items[most].name)
		l.Items = l.Items[:most]
	}
	if len(next) > 0 {
		l.Next = slices.Min(next)
	}
}

// names returns the names of a bucket's objects, ordered.
func (s *shards) names(bucket string) (names []string, err error) {
	for _, one := range s.there() {
		list, err := one.ListObjectsWithOptionsPaginated(bucket, fakestorage.ListOptions{})
		if err != nil {
			return nil, err
		}
		for _, object := range list.Objects {
			names = append(names, object.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
