package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	storage "google.golang.org/api/storage/v1"
)

// rules are the lifecycle rules of a bucket that delete objects.
type rules struct {
	all []*storage.BucketLifecycleRuleCondition
	now time.Time
}

func rulesOf(b *storage.Bucket, now time.Time) rules {
	r := rules{now: now}
	if b.Lifecycle == nil {
		return r
	}
	for _, rule := range b.Lifecycle.Rule {
		if rule.Action != nil && rule.Action.Type == "Delete" && rule.Condition != nil && live(rule.Condition, b) {
			r.all = append(r.all, rule.Condition)
		}
	}
	return r
}

// live says whether a rule deletes objects that are no old versions, of the class that the
// function's objects have. These have no custom time.
func live(c *storage.BucketLifecycleRuleCondition, b *storage.Bucket) bool {
	ofVersions := c.IsLive != nil && !*c.IsLive || c.NumNewerVersions > 0 || c.DaysSinceNoncurrentTime > 0 ||
		c.NoncurrentTimeBefore != ""
	ofCustomTime := c.DaysSinceCustomTime > 0 || c.CustomTimeBefore != ""
	class := b.StorageClass
	if class == "" {
		class = "STANDARD"
	}
	otherClass := len(c.MatchesStorageClass) > 0 && !slices.Contains(c.MatchesStorageClass, class)
	return !ofVersions && !ofCustomTime && !otherClass
}

// age returns how old an object of that name becomes, at most.
func (r rules) age(name string) time.Duration {
	age := never
	for _, c := range r.all {
		if matches(c, name) {
			age = min(age, r.after(c))
		}
	}
	return age
}

// after returns the age at which a rule deletes an object that is written now.
func (r rules) after(c *storage.BucketLifecycleRuleCondition) time.Duration {
	age := time.Duration(0)
	if c.Age != nil {
		age = time.Duration(*c.Age) * day
	}
	if c.CreatedBefore != "" {
		before, err := time.Parse(time.DateOnly, c.CreatedBefore)
		if err == nil && !before.After(r.now) {
			return never // what is written from now on is newer
		}
	}
	return age
}

func matches(c *storage.BucketLifecycleRuleCondition, name string) bool {
	any := func(parts []string, has func(s, part string) bool) bool {
		return len(parts) == 0 || slices.ContainsFunc(parts, func(part string) bool { return has(name, part) })
	}
	return any(c.MatchesPrefix, strings.HasPrefix) && any(c.MatchesSuffix, strings.HasSuffix) &&
		matchesPattern(c.MatchesPattern, name)
}

func matchesPattern(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	p, err := regexp.Compile(pattern)
	return err != nil || p.MatchString(name)
}

// objects names objects of a key as the store does. A key lies below the first byte of its
// hash, in hex.
type objects struct{ folder string }

func (o objects) key(hash int) string { return fmt.Sprintf("%s/%02x/order-1/", o.folder, hash) }

func (o objects) event(hash int, source string) string {
	return o.key(hash) + "events/" + escaped(source)
}
func (o objects) claim(hash int) string { return o.key(hash) + "claim" }
func (o objects) done(hash int) string  { return o.key(hash) + "done" }
func (o objects) letter() string        { return o.folder + "/deadletters/2026-01-31/reason-00.json" }

// escaped writes a source as the store does in names of objects.
func escaped(source string) string {
	var b strings.Builder
	for _, c := range []byte(source) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("-_.@+,", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}
