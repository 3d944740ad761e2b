package gcsstore

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// DefaultTimeout is how long an operation may take where nothing else is set.
const DefaultTimeout = 30 * time.Second

// Settings say how a store works. They are values: each method returns a changed
// copy. Start with [Config]. [New] checks them.
type Settings struct {
	bucket  string
	folder  string
	timeout Timeout
}

// Config returns the settings of a store in bucket, a name without "gs://": no
// folder, [DefaultTimeout]. The bucket must exist; its location
// decides about latency, and a lifecycle rule should delete old objects.
func Config(bucket string) Settings {
	return Settings{bucket: bucket}
}

// Timeout says how long operations may take, retries included. Single operations have a
// timeout of their own because a claim must be acquired well within its lease, whatever the
// others may take.
type Timeout struct {
	// Default is for every operation that is not in Operation; nil:
	// [DefaultTimeout].
	Default *time.Duration
	// Operation has precedence over Default.
	Operation map[Operation]time.Duration
}

// Operation names a method of [Store].
type Operation string

// The operations, one for each method that sends requests.
const (
	OpPersist          Operation = "persist"
	OpReplace          Operation = "replace"
	OpLookUp           Operation = "look up"
	OpLookUpByKey      Operation = "look up by key"
	OpListSourcesByKey Operation = "list sources by key"
	OpDecide           Operation = "decide"
	OpListDecided      Operation = "list decided"
	OpSeal             Operation = "seal"
	OpCorrect          Operation = "correct"
	OpReadCorrected    Operation = "read corrected"
	OpPurgeEvents      Operation = "purge events"
	OpPurgeClaims      Operation = "purge claims"
	OpAcquire          Operation = "acquire"
	OpRenew            Operation = "renew"
	OpComplete         Operation = "complete"
	OpRelease          Operation = "release"
	OpReopen           Operation = "reopen"
	OpAddDeadLetter    Operation = "add dead letter"
	OpDeadLetters      Operation = "dead letters"
	OpListLetters      Operation = "list letters"
	OpReadLetter       Operation = "read letter"
	OpDeleteLetter     Operation = "delete letter"
	OpInspect          Operation = "inspect"
	OpListKeys         Operation = "list keys"
)

var operations = []Operation{OpPersist, OpReplace, OpLookUp, OpLookUpByKey, OpListSourcesByKey, OpDecide, OpListDecided, OpSeal,
	OpCorrect, OpReadCorrected, OpPurgeEvents, OpPurgeClaims,
	OpAcquire, OpRenew, OpComplete, OpRelease, OpReopen, OpAddDeadLetter, OpDeadLetters, OpListLetters, OpReadLetter, OpDeleteLetter, OpInspect, OpListKeys}

// WithTimeout sets how long operations may take. Each timeout must be positive.
func (s Settings) WithTimeout(t Timeout) Settings {
	if t.Default != nil {
		d := *t.Default
		t.Default = &d
	}
	t.Operation = maps.Clone(t.Operation)
	s.timeout = t
	return s
}

// WithFolder puts everything below folder, such as "orders" or "team/orders", so
// that several stores share a bucket. It may have up to 256 letters, digits and
// "-_.@+,", in segments between slashes; none may be ".", "..", "deadletters" or
// two hex digits, so that a folder within a folder gets in nobody's way. The
// default, "", is the bucket itself.
func (s Settings) WithFolder(folder string) Settings {
	s.folder = folder
	return s
}

// Check returns what is wrong with the settings, all of it, or nil. [New] checks
// them as well.
func (s Settings) Check() error {
	var problems []error
	if s.bucket == "" || strings.ContainsAny(s.bucket, "/: ") {
		problems = append(problems, fmt.Errorf(`bucket %q: must be the name of a bucket, without "gs://"`, s.bucket))
	}
	if err := checkFolder(s.folder); err != nil {
		problems = append(problems, fmt.Errorf("folder %q: %w", s.folder, err))
	}
	if d := s.timeout.Default; d != nil && *d <= 0 {
		problems = append(problems, fmt.Errorf("Timeout.Default %v: must be positive", *d))
	}
	for op, d := range s.timeout.Operation {
		if !slices.Contains(operations, op) {
			problems = append(problems, fmt.Errorf("Timeout.Operation[%q]: must be one of the operations, such as OpPersist", op))
		}
		if d <= 0 {
			problems = append(problems, fmt.Errorf("Timeout.Operation[%q] %v: must be positive", op, d))
		}
	}
	return errors.Join(problems...)
}

func checkFolder(folder string) error {
	if folder == "" {
		return nil
	}
	if len(folder) > 256 {
		return fmt.Errorf("must have 256 bytes at most, not %d", len(folder))
	}
	if path.IsAbs(folder) || path.Clean(folder) != folder {
		return errors.New(`must be like "orders" or "team/orders": no slash at its ends, no empty, "." or ".." segment`)
	}
	for segment := range strings.SplitSeq(folder, "/") {
		if escape(segment) != segment {
			return fmt.Errorf(`segment %q: must be of letters, digits and "-_.@+,"`, segment)
		}
		if segment == deadLetterFolder || isHash(segment) || segment == ".well-known" {
			return fmt.Errorf("segment %q: is reserved", segment)
		}
	}
	return nil
}

// isHash says that a segment looks like the one above the keys.
func isHash(segment string) bool {
	return len(segment) == 2 && strings.Trim(segment, "0123456789abcdef") == ""
}

// timeoutOf returns how long op may take.
func (s Settings) timeoutOf(op Operation) time.Duration {
	if d, ok := s.timeout.Operation[op]; ok {
		return d
	}
	if s.timeout.Default != nil {
		return *s.timeout.Default
	}
	return DefaultTimeout
}
