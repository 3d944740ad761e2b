package doctor

import (
	"slices"
	"strings"
	"time"

	storage "google.golang.org/api/storage/v1"
)

// bucket looks at settings of the bucket that keep objects from being overwritten, or that
// keep more of them than needed.
func bucket(f facts) []Finding {
	b := f.Buckets[f.Config.Bucket]
	if b == nil || !f.gcs() {
		return nil
	}
	n := on("gs://" + f.Config.Bucket)
	if b.Gone {
		n.add(Error, "the bucket does not exist", "every event fails", "gcloud storage buckets create "+n.resource+
			" --location="+f.Region+" --uniform-bucket-level-access, or set GCS_BUCKET to one that exists")
	}
	if b.Info != nil {
		protection(n, b.Info)
		costs(n, b.Info)
		distance(n, b.Info, f.Region)
	}
	return n.all
}

// protection looks at what keeps the function from writing.
func protection(n *notes, b *storage.Bucket) {
	const noOverwriting = "claims can't be overwritten: a key can be neither renewed nor released nor taken over, " +
		"and its order is stuck"
	update := "gcloud storage buckets update " + n.resource
	if p := b.RetentionPolicy; p != nil && p.RetentionPeriod > 0 {
		n.add(Error, "its retention policy protects each object for "+days(time.Duration(p.RetentionPeriod)*time.Second),
			noOverwriting, update+" --clear-retention-period; a locked policy can't be removed, so use another bucket")
	}
	if b.DefaultEventBasedHold {
		n.add(Error, "it holds each new object", noOverwriting,
			update+" --no-default-event-based-hold, and release the holds of the objects that are there")
	}
	if b.Billing != nil && b.Billing.RequesterPays {
		n.add(Error, "requester pays is on", "the function names no project to pay: each of its requests is refused",
			update+" --no-requester-pays")
	}
	if l := b.IpFilter; l != nil && l.Mode == "Enabled" {
		n.add(Warning, "an IP filter decides who reaches it", "every event fails if the function's address is not let "+
			"through",
			"let the function's network in, or disable the filter")
	}
}

// costs looks at settings that cost money and help nobody.
func costs(n *notes, b *storage.Bucket) {
	const otherClass = "other classes than STANDARD bill each read, and each object for 30 days or more; state lives " +
		"for days"
	update := "gcloud storage buckets update " + n.resource
	if b.Versioning != nil && b.Versioning.Enabled {
		n.add(Cost, "it keeps versions", "claims are overwritten all the time, and what the lifecycle rules delete "+
			"becomes a version that stays", update+" --no-versioning")
	}
	if s := b.SoftDeletePolicy; s != nil && s.RetentionDurationSeconds > 0 {
		n.add(Cost, "it keeps deleted objects for "+days(time.Duration(s.RetentionDurationSeconds)*time.Second),
			"each overwritten claim and each expired event is paid for that much longer, and nobody needs it",
			update+" --clear-soft-delete")
	}
	if !slices.Contains([]string{"", "STANDARD", "REGIONAL", "MULTI_REGIONAL"}, b.StorageClass) {
		n.add(Cost, "its storage class is "+b.StorageClass, otherClass, update+" --default-storage-class=STANDARD")
	}
	if b.Lifecycle != nil && slices.ContainsFunc(b.Lifecycle.Rule, changesClass) {
		n.add(Cost, "a lifecycle rule changes the class of objects", "each change is billed; "+otherClass,
			update+" --lifecycle-file=…, without SetStorageClass")
	}
}

func changesClass(r *storage.BucketLifecycleRule) bool {
	return r.Action != nil && r.Action.Type == "SetStorageClass"
}

// continents are the beginnings of regions, by the multi- or dual-region that has them.
var continents = map[string]string{
	"EU": "europe-", "EUR4": "europe-", "EUR5": "europe-", "EUR7": "europe-", "EUR8": "europe-",
	"US": "us-", "NAM4": "us-", "ASIA": "asia-", "ASIA1": "asia-",
}

// distance looks whether the bucket is where the function is.
func distance(n *notes, b *storage.Bucket, region string) {
	location := strings.ToUpper(b.Location)
	near := strings.EqualFold(location, region) || continents[location] != "" && strings.HasPrefix(region,
		continents[location])
	if near || location == "" || region == "" || b.CustomPlacementConfig != nil {
		return
	}
	n.add(Cost, "it is in "+location+", and the function in "+region,
		"each operation takes longer, and traffic between regions is billed",
		"use a bucket in "+region+": see 'Changing settings' in docs/operations.md")
}
