package doctor

import (
	"fmt"
	"strings"
	"time"

	storage "google.golang.org/api/storage/v1"
)

// bucket looks at settings of the bucket that keep objects from being overwritten, or that
// keep more of them than needed.
func bucket(f facts) (all []Finding) {
	b := f.Buckets[f.Config.Bucket]
	if b == nil || !f.gcs() {
		return nil
	}
	name := "gs://" + f.Config.Bucket
	add := func(severity Severity, problem, why, flag string) {
		all = append(all, Finding{Severity: severity, Resource: name, Problem: problem, Why: why,
			Remedy: "gcloud storage buckets update " + name + " " + flag})
	}
	if b.Gone {
		return []Finding{{Severity: Error, Resource: name, Problem: "the bucket does not exist", Why: "every event fails",
			Remedy: "gcloud storage buckets create " + name + " --location=" + f.Region +
				" --uniform-bucket-level-access, or set GCS_BUCKET to one that exists"}}
	}
	if b.Info == nil {
		return nil
	}
	const noOverwriting = "claims can't be overwritten: a key can be neither renewed nor released nor taken over, and " +
		"its order is stuck"
	if p := b.Info.RetentionPolicy; p != nil && p.RetentionPeriod > 0 {
		add(Error, fmt.Sprintf("its retention policy protects each object for %s",
			days(time.Duration(p.RetentionPeriod)*time.Second)), noOverwriting,
			"--clear-retention-period; a locked policy can't be removed, so use another bucket")
	}
	if b.Info.DefaultEventBasedHold {
		add(Error, "it holds each new object", noOverwriting, "--no-default-event-based-hold, and release the holds of "+
			"the objects that are there")
	}
	if b.Info.Billing != nil && b.Info.Billing.RequesterPays {
		add(Error, "requester pays is on", "the function names no project to pay: each of its requests is refused",
			"--no-requester-pays")
	}
	if l := b.Info.IpFilter; l != nil && l.Mode == "Enabled" {
		add(Warning, "an IP filter decides who reaches it", "if the function's address is not let through, every event "+
			"fails",
			"--clear-ip-filter, or let the function's network in")
	}
	return append(all, costs(f, name, b.Info)...)
}

// costs looks at settings that cost money and help nobody.
func costs(f facts, name string, b *storage.Bucket) (all []Finding) {
	add := func(problem, why, flag string) {
		all = append(all, Finding{Severity: Cost, Resource: name, Problem: problem, Why: why,
			Remedy: "gcloud storage buckets update " + name + " " + flag})
	}
	if b.Versioning != nil && b.Versioning.Enabled {
		add("it keeps versions", "claims are overwritten all the time, and what the lifecycle rules delete becomes a "+
			"version that stays", "--no-versioning")
	}
	if s := b.SoftDeletePolicy; s != nil && s.RetentionDurationSeconds > 0 {
		add(fmt.Sprintf("it keeps deleted objects for %s", days(time.Duration(s.RetentionDurationSeconds)*time.Second)),
			"each overwritten claim and each expired event is paid for that much longer, and nobody needs it",
			"--clear-soft-delete")
	}
	if c := b.StorageClass; c != "" && c != "STANDARD" && c != "REGIONAL" && c != "MULTI_REGIONAL" {
		add("its storage class is "+c, "this class bills an object for 30 days or more and each read extra, and state "+
			"lives for days", "--default-storage-class=STANDARD")
	}
	if far(b, f.Region) {
		all = append(all, Finding{Severity: Cost, Resource: name, Problem: "it is in " + b.Location +
			", and the function in " + f.Region,
			Why: "each operation takes longer, and traffic between regions is billed", Remedy: "use a bucket in " + f.Region +
				": see 'Changing settings' in docs/operations.md"})
	}
	return all
}

// continents are the beginnings of regions, by the multi- or dual-region that has them.
var continents = map[string][]string{
	"EU": {"europe-"}, "EUR4": {"europe-"}, "EUR5": {"europe-"}, "EUR7": {"europe-"}, "EUR8": {"europe-"},
	"US": {"us-"}, "NAM4": {"us-"}, "ASIA": {"asia-"}, "ASIA1": {"asia-"},
}

// far says whether a bucket is certainly not where the function is.
func far(b *storage.Bucket, region string) bool {
	location := strings.ToUpper(b.Location)
	if location == "" || region == "" || strings.EqualFold(location, region) || b.CustomPlacementConfig != nil {
		return false
	}
	for _, beginning := range continents[location] {
		if strings.HasPrefix(region, beginning) {
			return false
		}
	}
	return true
}
