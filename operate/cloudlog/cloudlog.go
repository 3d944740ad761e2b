// Package cloudlog reads the log of a deployed function in Cloud Logging, and writes there what
// operators change.
package cloudlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/api/googleapi"
	logging "google.golang.org/api/logging/v2"

	"example.com/eventdriver/operate/deployed"
)

// Log is that of a service.
type Log struct {
	client *logging.Service
	target deployed.Target
	pause  time.Duration // between two requests of Follow
}

// Open returns the log of a service. It makes no request. An endpoint is that of a stand-in; "" is
// Google.
func Open(ctx context.Context, endpoint string, t deployed.Target) (*Log, error) {
	client, err := logging.NewService(ctx, deployed.Options(endpoint, "/")...)
	if err != nil {
		return nil, err
	}
	return &Log{client, t, pause}, nil
}

// Audit is the name of the log of what operators change.
const Audit = "eventdriver-audit"

// WriteAudit adds an entry to the project's log [Audit], as one of the service.
func (l *Log) WriteAudit(ctx context.Context, record map[string]any) error {
	payload, err := json.Marshal(record)
	if err != nil {
		return err
	}
	_, err = l.client.Entries.Write(&logging.WriteLogEntriesRequest{
		LogName: l.name(Audit),
		Resource: &logging.MonitoredResource{Type: resource, Labels: map[string]string{"project_id": l.target.Project,
			"location": l.target.Region, "service_name": l.target.Service}},
		Labels:  map[string]string{"service": l.target.Service, "location": l.target.Region},
		Entries: []*logging.LogEntry{{Severity: "NOTICE", JsonPayload: payload}},
	}).Context(ctx).Do()
	return l.failed(err, "roles/logging.logWriter")
}

// resource is what the entries of a service are about.
const resource = "cloud_run_revision"

// name returns the full name of one of the project's logs.
func (l *Log) name(log string) string {
	return "projects/" + l.target.Project + "/logs/" + strings.ReplaceAll(log, "/", "%2F")
}

// failed says which role is missing.
func (l *Log) failed(err error, role string) error {
	var refused *googleapi.Error
	if errors.As(err, &refused) && refused.Code == http.StatusForbidden {
		return fmt.Errorf("have %s granted to you on the project %s: %w", role, l.target.Project, err)
	}
	return err
}
