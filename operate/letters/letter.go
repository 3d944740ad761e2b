package letters

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"example.com/eventdriver/driver"
)

// Letter describes a dead letter. What is below Added is only known of one that was read.
type Letter struct {
	Ref    string        `json:"ref"`
	Reason driver.Reason `json:"reason"`
	Key    string        `json:"key,omitempty"`
	Source string        `json:"source,omitempty"`
	ID     string        `json:"id,omitempty"`
	Added  *time.Time    `json:"added,omitempty"`

	Error   string              `json:"error,omitempty"`
	Handler string              `json:"handler,omitempty"`
	Path    string              `json:"path,omitempty"`
	Attempt int                 `json:"attempt,omitempty"`
	Time    *time.Time          `json:"time,omitempty"`
	Header  map[string][]string `json:"header,omitempty"` // as [driver.ToText] has it
	Size    int                 `json:"size,omitempty"`   // of the body, in bytes
	Cut     bool                `json:"cut,omitempty"`    // the body is only the beginning
	// Body is the event's, if it was asked for; in base64, where BodyEncoding says so.
	Body         *string `json:"body,omitempty"`
	BodyEncoding string  `json:"bodyEncoding,omitempty"`
}

// describe says what a list has of a letter.
func describe(l driver.LetterRef) Letter {
	return Letter{Ref: l.Ref, Reason: l.Reason, Key: l.Key, Source: l.Source, ID: l.ID, Added: known(l.Added)}
}

// Describe says what a letter has that was read, with or without its payload.
func Describe(ref string, d driver.DeadLetter, payload bool) Letter {
	l := Letter{Ref: ref, Reason: d.Reason, Key: d.Key, Source: d.Source, ID: d.ID, Error: d.Error, Handler: d.Handler,
		Path: d.Path, Attempt: d.Attempt, Time: known(d.Time), Header: texts(d.Header), Size: len(d.Body), Cut: d.Cut}
	if !payload {
		return l
	}
	body := string(d.Body)
	l.BodyEncoding = "utf-8"
	if !utf8.Valid(d.Body) {
		body, l.BodyEncoding = base64.StdEncoding.EncodeToString(d.Body), "base64"
	}
	l.Body = &body
	return l
}

// Parse returns the letter of which [Describe], with its payload, made the JSON. The JSON of a
// letter in Cloud Storage is read, too. A letter that was cut is whole where its body has another size by now.
func Parse(text []byte) (driver.DeadLetter, error) {
	var l Letter
	if err := json.Unmarshal(text, &l); err != nil {
		return driver.DeadLetter{}, fmt.Errorf("it is no letter: %w: %s", err, howToWrite)
	}
	if l.Body == nil {
		return driver.DeadLetter{}, errors.New("it has no body: " + howToWrite)
	}
	d := driver.DeadLetter{Reason: l.Reason, Error: l.Error, Handler: l.Handler, ID: l.ID, Key: l.Key, Source: l.Source,
		Path: l.Path, Attempt: l.Attempt, Header: l.Header, Body: []byte(*l.Body)}
	if err := fromTexts(l.Header); err != nil {
		return driver.DeadLetter{}, fmt.Errorf("its header: %w", err)
	}
	switch l.BodyEncoding {
	case "", "utf-8":
	case "base64":
		var err error
		if d.Body, err = base64.StdEncoding.DecodeString(*l.Body); err != nil {
			return driver.DeadLetter{}, fmt.Errorf("its body is not in base64, as bodyEncoding says: %w", err)
		}
	default:
		return driver.DeadLetter{}, fmt.Errorf("its bodyEncoding is %q: it must be utf-8 or base64", l.BodyEncoding)
	}
	d.Cut = l.Cut && (l.Size == 0 || l.Size == len(d.Body))
	return d, nil
}

// howToWrite is what gives the JSON of a letter.
const howToWrite = "write it with letters show --payload --json"

// texts returns the header with values that JSON can hold. As JSON, different keys could become the same U+FFFD.
func texts(header map[string][]string) map[string][]string {
	all := make(map[string][]string, len(header))
	for name, values := range header {
		for _, value := range values {
			all[name] = append(all[name], driver.ToText(value))
		}
	}
	return all
}

// fromTexts is the inverse of texts, in place.
func fromTexts(header map[string][]string) (err error) {
	for _, values := range header {
		for i := range values {
			if values[i], err = driver.FromText(values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// known returns nil for a time that is not known.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
