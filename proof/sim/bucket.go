package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bucket is a model of Cloud Storage's JSON API as package gcsstore uses it: inserts
// with a condition on the generation, metadata, content, lists. It serves one request
// at a time, and each is one step, because Cloud Storage documents these requests as
// strongly consistent. Times are those of the run.
type bucket struct {
	objects    map[string]*object
	generation int64
	inserted   func(before, after *object) // is told of each write
}

// object is what the bucket keeps under a name.
type object struct {
	Bucket         string            `json:"bucket"`
	Name           string            `json:"name"`
	Generation     int64             `json:"generation,string"`
	Metageneration int64             `json:"metageneration,string"`
	ContentType    string            `json:"contentType,omitempty"`
	Size           int               `json:"size,string"`
	CRC32C         string            `json:"crc32c"`
	Created        time.Time         `json:"timeCreated"`
	Updated        time.Time         `json:"updated"`
	Metadata       map[string]string `json:"metadata,omitempty"`

	content []byte
}

const (
	bucketName  = "bucket"
	uploadPath  = "/upload/storage/v1/b/" + bucketName + "/o"
	objectsPath = "/storage/v1/b/" + bucketName + "/o"
)

// cloudRequest is a request to the bucket, read in full.
type cloudRequest struct {
	what  string // "write claim"
	write bool
	name  string // of the object, or the prefix of a list
	http  *http.Request
	body  []byte
	ahead time.Duration // of the sender's clock: it sees the bucket's times as earlier
}

// readRequest reads a request. Its body comes from a pipe, and is complete when this
// returns.
func readRequest(r *http.Request) (cloudRequest, error) {
	c := cloudRequest{http: r}
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if c.body, err = io.ReadAll(r.Body); err != nil {
			return c, fmt.Errorf("sim: the body of a request: %w", err)
		}
	}
	name, isObject := strings.CutPrefix(r.URL.EscapedPath(), objectsPath+"/")
	switch {
	case r.Method == http.MethodPost && r.URL.Path == uploadPath:
		c.what, c.name, c.write = "write ", r.URL.Query().Get("name"), true
	case r.Method == http.MethodGet && isObject && r.URL.Query().Get("alt") == "media":
		c.what = "read "
	case r.Method == http.MethodGet && isObject:
		c.what = "look at "
	case r.Method == http.MethodDelete && isObject:
		c.what, c.write = "delete ", true
	case r.Method == http.MethodGet && r.URL.Path == objectsPath:
		c.what, c.name = "list ", r.URL.Query().Get("prefix")
	default:
		return c, fmt.Errorf("sim: the bucket does not know %s %s", r.Method, r.URL)
	}
	if isObject {
		var err error
		if c.name, err = url.PathUnescape(name); err != nil {
			return c, fmt.Errorf("sim: the name of an object: %w", err)
		}
	}
	c.what += c.name[strings.LastIndex(strings.TrimSuffix(c.name, "/"), "/")+1:]
	return c, nil
}

// serve carries a request out.
func (b *bucket) serve(r cloudRequest) (*http.Response, error) {
	o := b.objects[r.name]
	query := r.http.URL.Query()
	switch {
	case r.http.Method == http.MethodPost:
		return b.insert(r, query)
	case strings.HasPrefix(r.what, "list "):
		return r.answer(http.StatusOK, b.list(r))
	case o == nil:
		return r.answer(http.StatusNotFound, apiError(http.StatusNotFound, "No such object: "+bucketName+"/"+r.name))
	case r.http.Method == http.MethodDelete:
		delete(b.objects, r.name)
		return r.response(http.StatusNoContent, "", nil), nil
	case query.Get("alt") == "media":
		response := r.response(http.StatusOK, o.ContentType, o.content)
		response.Header.Set("X-Goog-Generation", strconv.FormatInt(o.Generation, 10))
		response.Header.Set("X-Goog-Metageneration", strconv.FormatInt(o.Metageneration, 10))
		response.Header.Set("X-Goog-Hash", "crc32c="+o.CRC32C)
		return response, nil
	}
	return r.answer(http.StatusOK, o.seenBy(r))
}

// seenBy returns the object with its times by the sender's clock.
func (o *object) seenBy(r cloudRequest) *object {
	seen := *o
	seen.Created, seen.Updated = o.Created.Add(-r.ahead), o.Updated.Add(-r.ahead)
	return &seen
}

// insert stores what is uploaded, if the condition on the generation holds.
func (b *bucket) insert(r cloudRequest, query url.Values) (*http.Response, error) {
	o, err := upload(r)
	if err != nil {
		return nil, err
	}
	before := b.objects[o.Name]
	if want := query.Get("ifGenerationMatch"); want != "" {
		var current int64
		if before != nil {
			current = before.Generation
		}
		if want != strconv.FormatInt(current, 10) {
			return r.answer(http.StatusPreconditionFailed, apiError(http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold."))
		}
	}
	b.generation++
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(o.content, crc32.MakeTable(crc32.Castagnoli)))
	o.Bucket, o.Generation, o.Metageneration, o.Size = bucketName, b.generation, 1, len(o.content)
	o.CRC32C = base64.StdEncoding.EncodeToString(sum)
	o.Created, o.Updated = time.Now().UTC(), time.Now().UTC()
	b.objects[o.Name] = o
	if b.inserted != nil {
		b.inserted(before, o)
	}
	return r.answer(http.StatusOK, o.seenBy(r))
}

// upload returns the object of a multipart upload: its metadata, then its content.
func upload(r cloudRequest) (*object, error) {
	if kind := r.http.URL.Query().Get("uploadType"); kind != "multipart" {
		return nil, fmt.Errorf("sim: the bucket takes multipart uploads, not %q", kind)
	}
	_, params, err := mime.ParseMediaType(r.http.Header.Get("Content-Type"))
	if err != nil {
		return nil, fmt.Errorf("sim: upload: %w", err)
	}
	parts := multipart.NewReader(bytes.NewReader(r.body), params["boundary"])
	var o object
	metadata, err := parts.NextPart()
	if err == nil {
		err = json.NewDecoder(metadata).Decode(&o)
	}
	if err != nil {
		return nil, fmt.Errorf("sim: upload: metadata: %w", err)
	}
	content, err := parts.NextPart()
	if err == nil {
		o.content, err = io.ReadAll(content)
	}
	if err != nil {
		return nil, fmt.Errorf("sim: upload: content: %w", err)
	}
	if o.ContentType == "" {
		o.ContentType = content.Header.Get("Content-Type")
	}
	if name := r.http.URL.Query().Get("name"); name != "" {
		o.Name = name
	}
	if o.Name == "" {
		return nil, errors.New("sim: upload: the object has no name")
	}
	return &o, nil
}

func (b *bucket) list(r cloudRequest) any {
	items := []*object{}
	for name, o := range b.objects {
		if strings.HasPrefix(name, r.name) {
			items = append(items, o.seenBy(r))
		}
	}
	slices.SortFunc(items, func(a, b *object) int { return strings.Compare(a.Name, b.Name) })
	return map[string]any{"kind": "storage#objects", "items": items}
}

func apiError(code int, message string) any {
	return map[string]any{"error": map[string]any{
		"code": code, "message": message, "errors": []map[string]string{{"message": message, "domain": "global"}},
	}}
}

func (r cloudRequest) answer(status int, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("sim: answer: %w", err)
	}
	return r.response(status, "application/json; charset=UTF-8", text), nil
}

// astray is an answer that does not come from Cloud Storage.
func (r cloudRequest) astray() *http.Response {
	return r.response(http.StatusNotFound, "text/html", []byte("<html><h1>404 Not Found</h1></html>"))
}

func (r cloudRequest) response(status int, contentType string, body []byte) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {contentType}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r.http,
	}
}
