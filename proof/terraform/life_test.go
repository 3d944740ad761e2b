package terraform

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/eventdriver/internal/fake/googlecloud"
)

// TestExamples: each is applied, plans nothing more, and leaves topics alone.
func TestExamples(t *testing.T) {
	for example, left := range map[string][]string{
		"orders":          {"orders-event1", "orders-event2", "orders-event3"},
		"bigquery":        {"orders-bq-event1", "orders-bq-event2", "orders-bq-event3"},
		"existing-topics": nil,
		"image":           {"orders-event1", "orders-event2", "orders-event3"},
	} {
		t.Run(example, func(t *testing.T) {
			r := newRoot(t, nil)
			r.modules["orders"] = inputs{
				"source":     r.modules["orders"]["source"].(string) + "/examples/" + example,
				"project_id": project,
			}
			if example == "image" {
				r.set(inputs{"image": image})
			}
			r.must("init", "-no-color")
			r.apply()
			if example == "bigquery" {
				r.refused("without setting deletion_protection=false", "destroy", "-auto-approve")
				return
			}
			r.left(left...)
		})
	}
}

// TestMovesAreRefused: what would lose the state is refused at plan, and one move is accepted.
func TestMovesAreRefused(t *testing.T) {
	r := newRoot(t, inputs{"store": "bigquery", "claim_store": "gcs"})
	r.apply()
	for _, change := range []inputs{
		{"region": "europe-west4"}, {"name": "others"}, {"project_id": "q-123456"},
		{"bucket_location": "EU"}, {"bucket_name": "given", "create_bucket": false},
		{"dataset_location": "EU"}, {"create_dataset": false, "dataset_id": "orders"}, {"dataset_id": "d"},
		{"store": "gcs"}, {"claim_store": "bigquery"},
	} {
		kept := inputs{}
		for name := range change {
			kept[name] = r.modules["orders"][name]
		}
		r.set(change)
		r.refused("This would lose the state", "plan")
		r.set(kept)
	}
	r.settled()
	r.set(inputs{"force_destroy": true})
	r.apply()
	r.cloud.Put(project+"-orders-events", "orders/00/claim", nil)
	r.set(inputs{"region": "europe-west4", "state_moved": "1"})
	r.apply()
	r.left("orders-event1", "orders-event2", "orders-event3")
}

// TestDestroyIsRefused: while there is state nothing goes.
func TestDestroyIsRefused(t *testing.T) {
	for _, store := range []string{"gcs", "bigquery"} {
		t.Run(store, func(t *testing.T) {
			r := newRoot(t, inputs{
				"store":          store,
				"alert_channels": []string{channel},
				"telemetry":      "google",
				"operators":      inputs{"us": "group:us@example.com"},
				"viewers":        inputs{"them": "group:them@example.com"},
				"invokers":       inputs{"ci": "group:ci@example.com"},
			})
			r.apply()
			want := "managed folder you tried to delete is not empty"
			if store == "bigquery" {
				want = "without setting deletion_protection=false"
			} else {
				r.cloud.Put(project+"-orders-events", "orders/00/claim", nil)
			}
			r.refused(want, "destroy", "-auto-approve")
			r.settled()
			r.set(inputs{"force_destroy": true})
			r.apply()
			r.left("orders-event1", "orders-event2", "orders-event3")
		})
	}
}

// TestFirstApplyFails: a region that was mistyped at first can be corrected.
func TestFirstApplyFails(t *testing.T) {
	r := newRoot(t, inputs{
		"region":           "europe-west4",
		"service_accounts": inputs{"run": inputs{"email": "a-missing@" + project + ".iam.gserviceaccount.com"}},
	})
	if _, code := r.run("apply", "-auto-approve"); code == 0 {
		t.Fatal("it must fail")
	}
	r.set(inputs{"region": nil, "service_accounts": nil})
	r.apply()
	r.left("orders-event1", "orders-event2", "orders-event3")
}

// TestDependsOn: what the module depends on may change, and nothing of the module does, if nothing need be looked up.
func TestDependsOn(t *testing.T) {
	r := newRoot(t, inputs{"depends_on": []string{"terraform_data.other"}, "project_number": googlecloud.Number})
	r.set(inputs{"source_archive": r.archive()})
	r.more["resource"] = inputs{"terraform_data": inputs{"other": inputs{"input": "1"}}}
	r.apply()
	r.cloud.Writes()
	r.more["resource"] = inputs{"terraform_data": inputs{"other": inputs{"input": "2"}}}
	r.apply()
	if writes := r.cloud.Writes(); len(writes) > 0 {
		t.Errorf("writes: %s", strings.Join(writes, "\n"))
	}
	r.left("orders-event1", "orders-event2", "orders-event3")
}

// TestPlanHereAndApplyThere: a plan is applied on another machine.
func TestPlanHereAndApplyThere(t *testing.T) {
	r := newRoot(t, nil)
	r.set(inputs{
		"source_archive": "gs://builds/orders.zip#" + r.cloud.Item("storage/builds/o/orders.zip")["generation"].(string),
	})
	r.must("plan", "-no-color", "-out=plan")
	there := *r
	there.dir = t.TempDir()
	there.modules = map[string]inputs{"orders": r.module(nil)}
	for name, value := range r.modules["orders"] {
		there.modules["orders"][name] = value
	}
	there.must("init", "-no-color")
	plan, err := os.ReadFile(filepath.Join(r.dir, "plan"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(there.dir, "plan"), plan, 0o600); err != nil {
		t.Fatal(err)
	}
	there.must("apply", "-no-color", "plan")
	there.settled()
	there.left("orders-event1", "orders-event2", "orders-event3")
}

// TestOneRoot: the module takes what is made with it, and an instance that goes leaves the other its key.
func TestOneRoot(t *testing.T) {
	r := newRoot(t, nil)
	suffix := "${terraform_data.suffix.id}"
	topics := inputs{}
	for _, topic := range []string{"paid", "shipped", "dead", "complete"} {
		topics[topic] = inputs{"project": project, "name": topic + "-" + suffix}
	}
	r.more["resource"] = inputs{
		"terraform_data": inputs{"suffix": inputs{}},
		"google_kms_key_ring": inputs{
			"this": inputs{"project": project, "name": "orders", "location": region},
		},
		"google_kms_crypto_key": inputs{
			"this": inputs{"name": "orders", "key_ring": "${google_kms_key_ring.this.id}"},
		},
		"google_pubsub_topic":    topics,
		"google_service_account": inputs{"robot": inputs{"project": project, "account_id": "robot-1"}},
		"google_eventarc_channel": inputs{
			"this": inputs{"project": project, "location": region, "name": "partners-2"},
		},
		"google_storage_bucket_object": inputs{
			"source": inputs{"bucket": "builds", "name": "own.zip", "content": "zip"},
		},
		"google_monitoring_notification_channel": inputs{
			"this": inputs{"project": project, "type": "email", "labels": inputs{"email_address": "a@example.com"}},
		},
	}
	common := inputs{"kms_key": inputs{"id": "${google_kms_crypto_key.this.id}"}}
	r.set(common)
	r.set(inputs{
		"source_archive": "gs://builds/own.zip#${google_storage_bucket_object.source.generation}",
		"sources": inputs{
			"placed":  inputs{},
			"paid":    inputs{"topic": inputs{"id": "${google_pubsub_topic.paid.id}"}},
			"shipped": inputs{"topic": inputs{"id": "${google_pubsub_topic.shipped.id}"}, "delivery": "pubsub"},
			"packed":  inputs{"event_type": "com.example.packed", "channel": "${google_eventarc_channel.this.id}"},
		},
		"erase_sources":     []string{},
		"dead_letter_topic": inputs{"id": "${google_pubsub_topic.dead.name}"},
		"output_topic":      inputs{"id": "${google_pubsub_topic.complete.id}"},
		"viewers":           inputs{"us": "group:support@example.com"},
		"operators":         inputs{"robot": "${google_service_account.robot.member}"},
		"alert_channels":    []string{"${google_monitoring_notification_channel.this.id}"},
	})
	r.must("init", "-no-color")
	r.apply()
	r.modules["invoices"] = r.module(common)
	maps.Copy(r.modules["invoices"], inputs{"name": "invoices"})
	r.must("init", "-no-color")
	r.apply()
	r.cloud.Writes()
	delete(r.modules, "invoices")
	r.apply()
	for _, write := range r.cloud.Writes() {
		if strings.Contains(write, "kms") {
			t.Error(write)
		}
	}
	keys := "kms/" + place + "/keyRings/orders"
	r.others = append(r.others, keys, keys+"/cryptoKeys/orders") // which are never deleted
	r.left("invoices-event1", "invoices-event2", "invoices-event3", "orders-placed")
}
