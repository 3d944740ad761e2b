package googlecloud

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"strings"
)

// stamp is what dashboards get.
func stamp(c *Cloud, _ string, item, _ Item) error {
	item["etag"] = fmt.Sprint(c.next())
	return nil
}

func (c *Cloud) repository(_ string, item, before Item) error {
	item["updateTime"], item["mode"] = now(), "STANDARD_REPOSITORY"
	if before != nil {
		return nil
	}
	return c.encrypts(text(item, "kmsKeyName"), "artifactregistry")
}

// function builds and deploys as far as rights go, and makes the service of the same name.
func (c *Cloud) function(name string, item, before Item) error {
	build, _ := item["buildConfig"].(Item)
	service, _ := item["serviceConfig"].(Item)
	if before == nil || !reflect.DeepEqual(build, before["buildConfig"]) {
		if err := c.builds(item, build); err != nil {
			return err
		}
	}
	if err := c.runs(text(service, "serviceAccountEmail"), service); err != nil {
		return err
	}
	if service["directVpcEgress"] != nil && service["directVpcNetworkInterface"] == nil {
		return refuse(400, "directVpcEgress needs a directVpcNetworkInterface")
	}
	id, location := path.Base(name), strings.Split(name, "/")[4]
	uri := fmt.Sprintf("https://%s-%s.%s.run.app", id, Number, location)
	variables, _ := service["environmentVariables"].(Item)
	if variables == nil {
		variables = Item{}
	}
	if variables["LOG_EXECUTION_ID"] == nil {
		variables["LOG_EXECUTION_ID"] = "true"
	}
	run := "run/" + path.Dir(path.Dir(text(item, "name"))) + "/services/" + id
	maps.Copy(service, Item{
		"environmentVariables": variables, "uri": uri, "service": strings.TrimPrefix(run, "run/"),
		"revision": fmt.Sprintf("%s-%05d", id, c.next()),
	})
	maps.Copy(build, Item{
		"build": fmt.Sprintf("builds/%d", c.next()), "automaticUpdatePolicy": Item{}, "dockerRegistry": "ARTIFACT_REGISTRY",
	})
	maps.Copy(item, Item{"state": "ACTIVE", "environment": "GEN_2", "url": uri, "updateTime": now()})
	if c.items[run] == nil {
		c.items[run] = Item{"name": strings.TrimPrefix(run, "run/"), "uri": uri}
	}
	return nil
}

func (c *Cloud) builds(item, build Item) error {
	source, _ := at(build, "source", "storageSource").(Item)
	object := c.items["storage/"+text(source, "bucket")+"/o/"+text(source, "object")]
	generation := fmt.Sprint(source["generation"])
	if object == nil || source["generation"] != nil && object["generation"] != generation {
		return refuse(400, "the source %s#%s was not found", text(source, "object"), generation)
	}
	// The source is copied, and read back as the copy.
	build["source"] = Item{"storageSource": Item{
		"bucket": "gcf-v2-sources-" + Number, "object": "function-source.zip", "generation": fmt.Sprint(c.next()),
	}}
	account := "serviceAccount:" + path.Base(text(build, "serviceAccount"))
	repository := "artifactregistry/" + text(build, "dockerRepository")
	project := "cloudresourcemanager/projects/" + strings.Split(text(item, "name"), "/")[1]
	switch {
	case c.items[repository] == nil:
		return refuse(400, "the repository %s was not found", repository)
	case !c.granted("artifactregistry.writer", account, repository):
		return refuse(400, "build failed: %s may not write to %s", account, repository)
	case !c.granted("storage.objectViewer", account, project):
		return refuse(400, "build failed: %s may not read the copied source", account)
	case !c.granted("logging.logWriter", account, project):
		return refuse(400, "build failed: %s may not write logs", account)
	}
	return c.encrypts(text(item, "kmsKeyName"), "functions", "run", "artifactregistry", "storage")
}

// runs refuses an instance that would not start.
func (c *Cloud) runs(account string, service Item) error {
	if err := c.hasAccount(account); err != nil {
		return err
	}
	for _, list := range []string{"secretEnvironmentVariables", "secretVolumes"} {
		secrets, _ := service[list].([]any)
		for _, each := range secrets {
			secret := "secretmanager/projects/" + text(each.(Item), "projectId") + "/secrets/" + text(each.(Item), "secret")
			if !c.granted("secretmanager.secretAccessor", "serviceAccount:"+account, secret) {
				return refuse(400, "%s may not read the secret %s", account, secret)
			}
		}
	}
	return nil
}

func (c *Cloud) functionGone(_ string, item Item) error {
	c.remove("run/" + text(item, "serviceConfig", "service"))
	return nil
}

// service completes a service of Cloud Run.
func (c *Cloud) service(name string, item, _ Item) error {
	parts := strings.Split(name, "/")
	uri := fmt.Sprintf("https://%s-%s.%s.run.app", parts[6], Number, parts[4])
	maps.Copy(item, Item{
		"uid": fmt.Sprint(c.next()), "uri": uri, "urls": []any{uri}, "generation": fmt.Sprint(c.next()),
		"latestReadyRevision": fmt.Sprintf("%s-%05d", parts[6], c.next()), "launchStage": "GA", "updateTime": now(),
	})
	return c.hasAccount(text(item, "template", "serviceAccount"))
}

// trigger makes a subscription, and a topic where the events are not a topic's.
func (c *Cloud) trigger(name string, item, before Item) error {
	parts := strings.Split(name, "/")
	project, location, id := parts[2], parts[4], parts[6]
	item["updateTime"] = now()
	account := text(item, "serviceAccount")
	if err := c.hasAccount(account); err != nil {
		return err
	}
	to, _ := at(item, "destination", "cloudRun").(Item)
	destination := fmt.Sprintf("run/projects/%s/locations/%s/services/%s", project, text(to, "region"), text(to, "service"))
	if c.items[destination] == nil {
		return refuse(400, "the destination %s was not found", destination)
	}
	if !c.granted("eventarc.eventReceiver", "serviceAccount:"+account, "cloudresourcemanager/projects/"+project) {
		return refuse(403, "%s lacks eventarc.events.receiveEvent", account)
	}
	if before != nil {
		return nil
	}
	if err := c.filters(project, location, item); err != nil {
		return err
	}
	pubsub, _ := at(item, "transport", "pubsub").(Item)
	if pubsub == nil {
		pubsub = Item{"topic": fmt.Sprintf("projects/%s/topics/eventarc-%s-%s-%d", project, location, id, c.next())}
		c.items["pubsub/"+text(pubsub, "topic")] = Item{"name": pubsub["topic"]}
	}
	subscription := fmt.Sprintf("projects/%s/subscriptions/eventarc-%s-%s-sub-%d", project, location, id, c.next())
	pubsub["subscription"] = subscription
	c.items["pubsub/"+subscription] = Item{"name": subscription, "topic": pubsub["topic"], "ackDeadlineSeconds": 10}
	item["uid"], item["etag"], item["transport"] = fmt.Sprint(c.next()), fmt.Sprint(c.next()), Item{"pubsub": pubsub}
	return nil
}

// filters refuses events that can't come.
func (c *Cloud) filters(project, location string, item Item) error {
	if topic := text(item, "transport", "pubsub", "topic"); topic != "" {
		if c.items["pubsub/"+topic] == nil {
			return refuse(400, "the topic %s was not found", topic)
		}
		if !strings.HasPrefix(topic, "projects/"+project+"/") {
			return refuse(400, "the topic %s is not in the trigger's project", topic)
		}
	}
	criteria, _ := item["eventFilters"].([]any)
	for _, each := range criteria {
		if text(each.(Item), "attribute") != "bucket" {
			continue
		}
		bucket := c.items["storage/"+text(each.(Item), "value")]
		if bucket == nil || !strings.EqualFold(text(bucket, "location"), location) {
			return refuse(400, "there is no bucket %s in %s", text(each.(Item), "value"), location)
		}
		if !c.granted("pubsub.publisher", "serviceAccount:"+storageAgent, "cloudresourcemanager/projects/"+project) {
			return refuse(403, "The Cloud Storage service account lacks the Pub/Sub Publisher role on the project")
		}
	}
	if channel := text(item, "channel"); channel != "" && c.items["eventarc/"+channel] == nil {
		return refuse(400, "the channel %s was not found", channel)
	}
	return nil
}

func (c *Cloud) triggerGone(name string, item Item) error {
	delete(c.items, "pubsub/"+text(item, "transport", "pubsub", "subscription"))
	own := "eventarc-" + strings.Split(name, "/")[4] + "-"
	if topic := text(item, "transport", "pubsub", "topic"); strings.HasPrefix(path.Base(topic), own) {
		delete(c.items, "pubsub/"+topic)
	}
	return nil
}

func (c *Cloud) topic(_ string, item, before Item) error {
	if before != nil {
		return nil
	}
	return c.encrypts(text(item, "kmsKeyName"), "pubsub")
}

// topicGone leaves subscriptions behind, without a topic.
func (c *Cloud) topicGone(_ string, item Item) error {
	for _, other := range c.items {
		if other["topic"] == item["name"] {
			other["topic"] = "_deleted-topic_"
		}
	}
	return nil
}

func (c *Cloud) subscription(_ string, item, _ Item) error {
	if topic := text(item, "topic"); c.items["pubsub/"+topic] == nil {
		return refuse(404, "the topic %s was not found", topic)
	}
	item["state"] = "ACTIVE"
	if account := text(item, "pushConfig", "oidcToken", "serviceAccountEmail"); account != "" {
		return c.hasAccount(account)
	}
	return nil
}

func (c *Cloud) job(_ string, item, _ Item) error {
	maps.Copy(item, Item{"state": "ENABLED", "userUpdateTime": now()})
	if target, ok := item["httpTarget"].(Item); ok {
		target["headers"] = Item{"User-Agent": "Google-Cloud-Scheduler"}
	}
	return c.hasAccount(text(item, "httpTarget", "oidcToken", "serviceAccountEmail"))
}

func (c *Cloud) alert(name string, item, _ Item) error {
	conditions, _ := item["conditions"].([]any)
	for _, condition := range conditions {
		if text(condition.(Item), "name") == "" {
			condition.(Item)["name"] = fmt.Sprintf("%s/conditions/%d", strings.TrimPrefix(name, "monitoring/"), c.next())
		}
	}
	if item["enabled"] == nil {
		item["enabled"] = true
	}
	item["creationRecord"], item["mutationRecord"] = Item{"mutateTime": now()}, Item{"mutateTime": now()}
	channels, _ := item["notificationChannels"].([]any)
	for _, channel := range channels {
		if c.items["monitoring/"+channel.(string)] == nil {
			return refuse(404, "the notification channel %s was not found", channel)
		}
	}
	return nil
}
