package serve

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/pubsub"
	"example.com/eventdriver/cmd/local/internal/records"
)

// welcome says what one can do now.
func (l *local) welcome() string {
	var b strings.Builder
	fmt.Fprintf(&b, "The function listens on %s", l.FunctionURL)
	if l.options.instances > 1 {
		fmt.Fprintf(&b, ", with %d instances and leases of %v", l.options.instances, l.Config.Lease)
	}
	b.WriteString(". What you publish is delivered to it:\n\n")
	for _, source := range l.Config.Sources {
		fmt.Fprintf(&b, "  curl -d '{}' 'http://%s/publish/%s?key=order-1'\n", l.publishAddr, url.PathEscape(source))
	}
	if l.pubsub != nil {
		fmt.Fprintf(&b, "\nGoogle's Pub/Sub emulator is at %s, with topics as projects/%s/topics/%s.\n",
			l.settings.here[pubsubVariable], pubsub.Project, l.Config.Sources[0])
	}
	if l.consoleAddr != "" {
		fmt.Fprintf(&b, "\nThe console is at http://%s/\n", l.consoleAddr)
	}
	if variables := l.variables(); len(variables) > 0 {
		fmt.Fprintf(&b, "\nHow keys stand, and the dead letters, in another terminal:\n\n  export %s\n", strings.Join(variables, " "))
		letters := "letters list"
		if l.pubsub != nil {
			letters += " --subscription " + pubsub.DeadLetterSubscription
		}
		for _, command := range []string{"waiting", "why order-1", letters} {
			fmt.Fprintf(&b, "  go run example.com/eventdriver/cmd/eventdriver %s\n", command)
		}
	}
	return b.String()
}

// variables returns those with which cmd/eventdriver sees what the function keeps; none, if it
// can't.
func (l *local) variables() (all []string) {
	c := l.Config
	values := map[string]string{"EVENT_SOURCES": strings.Join(c.Sources, ","), "EVENT_STORE": c.EventStore, "CLAIM_STORE": c.ClaimStore,
		"GCS_BUCKET": c.Bucket, "GCS_FOLDER": c.Folder, "BIGQUERY_PROJECT": c.Project, "BIGQUERY_DATASET": c.Dataset,
		"BIGQUERY_LOCATION": c.Location}
	if l.pubsub != nil {
		values["DEAD_LETTER_TOPIC"], values[pubsubVariable] = c.DeadLetterTopic, l.settings.here[pubsubVariable]
	}
	for _, name := range emulators {
		values[name] = l.emulators[name]
	}
	if _, err := l.State.Inspector(); err != nil || l.options.store == eventdriver.StoreMemory {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		switch {
		case value == "":
			continue
		case strings.ContainsFunc(value, needsQuotes):
			value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
		}
		all = append(all, name+"="+value)
	}
	return all
}

// needsQuotes says that a shell may understand a letter.
func needsQuotes(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.,:/@+", r))
}

// warn notes which variables of the environment look misspelled.
func (l *local) warn() {
	for _, sentence := range eventdriver.UnknownVariables(os.Environ()) {
		l.Records.Add(records.Record{Kind: records.Log, Severity: "WARNING", Message: "unknown variable: " + sentence})
	}
}
