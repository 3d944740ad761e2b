package serve

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"example.com/eventdriver"
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
	if l.consoleAddr != "" {
		fmt.Fprintf(&b, "\nThe console is at http://%s/\n", l.consoleAddr)
	}
	if variables := l.variables(); variables != "" {
		fmt.Fprintf(&b, "\nHow keys stand, and the dead letters:\n\n")
		for _, command := range []string{"waiting", "why order-1", "letters list"} {
			fmt.Fprintf(&b, "  %s go run ./cmd/eventdriver %s\n", variables, command)
		}
	}
	return b.String()
}

// variables returns those with which cmd/eventdriver sees what the function keeps; "": it can't.
func (l *local) variables() string {
	var all []string
	switch l.options.store {
	case eventdriver.StoreGCS:
		all = append(all, "STORAGE_EMULATOR_HOST="+l.storageHost, "GCS_BUCKET="+l.Config.Bucket, "GCS_FOLDER="+l.Config.Folder)
	default:
		return ""
	}
	return strings.Join(append(all, "EVENT_SOURCES="+strings.Join(l.Config.Sources, ",")), " ")
}

// warn notes which variables of the environment look misspelled.
func (l *local) warn() {
	for _, sentence := range eventdriver.UnknownVariables(os.Environ()) {
		l.Records.Add(records.Record{Kind: records.Log, Severity: "WARNING", Message: "unknown variable: " + sentence})
	}
}
