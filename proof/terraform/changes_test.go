package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var none = inputs{}

// image is one that somebody else has built.
var image = region + "-docker.pkg.dev/" + project + "/images/orders@sha256:" + strings.Repeat("0", 64)

// parcel are sources of which the third is called that and comes from elsewhere.
func parcel(from inputs) inputs {
	return inputs{"event1": none, "event2": none, "parcel": from}
}

// clearNetwork leaves the function as docs/how-to/private-networks.md supposes that its command does: the command changes
// the service, from which Google reads the function back.
func (r *root) clearNetwork() {
	name := "cloudfunctions/" + place + "/functions/orders"
	function := r.cloud.Item(name)
	delete(function["serviceConfig"].(inputs), "directVpcNetworkInterface")
	delete(function["serviceConfig"].(inputs), "directVpcEgress")
	r.cloud.Make(name, function)
}

// TestSettings changes one setting after the other.
func TestSettings(t *testing.T) {
	r := newRoot(t, nil)
	r.apply()
	r.steps(
		step{name: "size", inputs: inputs{
			"memory":          "1Gi",
			"cpu":             "2",
			"timeout_seconds": 90,
			"min_instances":   1,
			"max_instances":   9,
			"concurrency":     7,
		}},
		step{name: "state", inputs: inputs{"retention_days": 9, "soft_delete_days": 7}},
		step{name: "labels", inputs: inputs{"labels": inputs{"team": "orders"}}},
		step{name: "labels back", inputs: inputs{"labels": nil}},
		step{name: "alerts", inputs: inputs{
			"alert_channels": []string{channel},
		}},
		step{name: "telemetry", inputs: inputs{"telemetry": "google"}},
		step{name: "telemetry off", inputs: inputs{"telemetry": "off"}},
		step{name: "deadline", inputs: inputs{"join_deadline": "24h"}},
		step{name: "no alerts", inputs: inputs{"alert_channels": nil, "join_deadline": nil}},
		step{name: "no sweep", inputs: inputs{"sweep_schedule": "none"}},
		step{name: "sweep", inputs: inputs{"sweep_schedule": "5 * * * *"}},
		step{name: "people", inputs: inputs{
			"viewers":   inputs{"us": "group:us@example.com"},
			"operators": inputs{"on-call": "group:on-call@example.com"},
			"invokers":  inputs{"ci": "group:ci@example.com"},
		}},
		step{name: "a viewer becomes an operator", inputs: inputs{
			"viewers":   nil,
			"operators": inputs{"on-call": "group:us@example.com"},
		}},
		step{name: "an operator less", inputs: inputs{"operators": nil}},
		step{name: "nobody", inputs: inputs{"viewers": nil, "invokers": nil}},
		step{name: "images", inputs: inputs{"keep_images": 9, "runtime": "go127"}},
		step{name: "erase", inputs: inputs{
			"erase_sources": []string{},
			"key_pointer":   "/order/id",
			"ingress":       "ALLOW_ALL",
		}},
	)
	r.left("orders-event1", "orders-event2", "orders-event3")
}

// TestTopics changes where events come from and go to.
func TestTopics(t *testing.T) {
	r := newRoot(t, nil)
	r.apply()
	payments := inputs{"id": "payments"}
	r.steps(
		step{name: "output", inputs: inputs{"output_topic": inputs{"id": "complete", "create": true}}},
		step{name: "output off", inputs: inputs{"output_topic": nil}},
		step{name: "a source more", inputs: inputs{
			"sources": inputs{"event1": none, "event2": none, "event3": none, "event4": none},
		}},
		step{name: "a source less", inputs: inputs{"sources": nil}},
		step{name: "renamed", inputs: inputs{
			"sources":       parcel(inputs{"topic": inputs{"id": "orders-event3"}}),
			"erase_sources": []string{"event1"},
		}},
		step{name: "another topic", inputs: inputs{"sources": parcel(inputs{"topic": payments})}},
		step{name: "both", inputs: inputs{"sources": parcel(inputs{"topic": payments, "delivery": "both"})}},
		step{name: "pubsub", inputs: inputs{
			"sources": parcel(inputs{"topic": payments, "delivery": "pubsub", "min_backoff": "10.5s"}),
		}},
		step{name: "filtered", inputs: inputs{
			"sources": parcel(inputs{
				"topic":          payments,
				"delivery":       "pubsub",
				"message_filter": "attributes.a = \"b\"",
			}),
		}},
		step{name: "eventarc", inputs: inputs{"sources": parcel(inputs{"topic": payments})}},
		step{name: "channel", inputs: inputs{
			"sources": parcel(inputs{"event_type": "com.example.parcel", "channel": place + "/channels/partners"}),
		}},
		step{name: "bucket", inputs: inputs{
			"grant_agents": true,
			"sources": parcel(inputs{
				"event_type": "google.cloud.storage.object.v1.finalized",
				"filters":    inputs{"bucket": project + "-invoices"},
			}),
		}},
		step{name: "alerts", inputs: inputs{
			"alert_channels": []string{channel},
		}},
		step{name: "topic again", inputs: inputs{"sources": parcel(inputs{"topic": payments})}},
		step{name: "letters", inputs: inputs{
			"dead_letter_topic": inputs{"id": "company-dead-letters"}, "state_moved": "letters",
		}},
		step{name: "letters subscription", inputs: inputs{
			"dead_letter_subscription": inputs{"id": "projects/" + project + "/subscriptions/letters"},
			"state_moved":              "subscription",
		}},
		step{name: "letters back", inputs: inputs{
			"dead_letter_topic": nil, "dead_letter_subscription": nil, "state_moved": "back",
		}},
		step{name: "delete topics", inputs: inputs{"delete_topics": true}},
	)
	r.left("orders-event3", "orders-event4")
}

// TestSurroundings changes what the function is built from, runs as and calls into.
func TestSurroundings(t *testing.T) {
	r := newRoot(t, nil)
	r.apply()
	accounts := inputs{}
	for _, task := range []string{"run", "trigger", "build", "sweep"} {
		accounts[task] = inputs{"email": "a-" + task + "@" + project + ".iam.gserviceaccount.com"}
	}
	zip := filepath.Join(t.TempDir(), "orders.zip")
	if err := os.WriteFile(zip, []byte("zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.steps(
		step{name: "connector", inputs: inputs{"vpc_connector": place + "/connectors/c"}},
		step{name: "network", inputs: inputs{
			"vpc_connector": nil,
			"vpc_network":   inputs{"network": "n", "subnetwork": "s"},
			"vpc_egress":    "ALL_TRAFFIC",
		}},
		step{name: "egress", inputs: inputs{"vpc_egress": "PRIVATE_RANGES_ONLY"}},
		step{name: "no network", inputs: inputs{"vpc_network": nil}, first: r.clearNetwork},
		step{name: "object", inputs: inputs{"source_archive": r.archive()}},
		step{name: "zip", inputs: inputs{"source_archive": zip}},
		step{name: "packed", inputs: inputs{"source_archive": nil}},
		step{name: "secrets", inputs: inputs{"secrets": inputs{"shop": inputs{"id": "shop", "environment": "SHOP"}}}},
		step{name: "secret file", inputs: inputs{
			"secrets": inputs{"shop": inputs{"id": "shop", "file": "/secrets/shop/password"}},
		}},
		step{name: "no secrets", inputs: inputs{"secrets": nil}},
		step{name: "repository", inputs: inputs{"repository": inputs{"id": place + "/repositories/images"}}},
		step{name: "own repository", inputs: inputs{"repository": nil}},
		step{name: "accounts", inputs: inputs{"service_accounts": accounts}},
		step{name: "own accounts", inputs: inputs{"service_accounts": nil}},
	)
	r.left("orders-event1", "orders-event2", "orders-event3")
}

// TestImage goes from a source to an image, and back. The state stays, and what delivers to it.
func TestImage(t *testing.T) {
	r := newRoot(t, nil)
	r.apply()
	state := []string{"eventarc/", "pubsub/", "storage/" + project + "-orders-events"}
	r.steps(
		step{name: "image", inputs: inputs{"image": inputs{"uri": image}}, keeps: state},
		step{name: "network", inputs: inputs{
			"vpc_network": inputs{"network": "n", "subnetwork": "s"},
			"vpc_egress":  "ALL_TRAFFIC",
		}},
		step{name: "no network", inputs: inputs{"vpc_network": nil, "vpc_egress": nil}},
		step{name: "secrets", inputs: inputs{
			"secrets": inputs{"shop": inputs{"id": "shop", "environment": "SHOP", "file": "/secrets/shop/password"}},
			"labels":  inputs{"team": "orders"},
		}},
		step{name: "people", inputs: inputs{
			"operators": inputs{"on-call": "group:on-call@example.com"},
			"secrets":   nil,
		}},
		step{name: "pushed", inputs: inputs{
			"sources": inputs{"event1": none, "event2": none, "event3": inputs{"delivery": "pubsub"}},
		}},
		step{name: "source", inputs: inputs{"image": nil}, keeps: state},
	)
	r.left("orders-event1", "orders-event2", "orders-event3")
}
