package main

import (
	"errors"
	"net/http"
	"strings"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Lines that say what to do about a failure.
const (
	logIn    = "Log in with: gcloud auth application-default login\n"
	getRoles = "Have the roles for looking or for changing granted to you: see Roles in docs/operations.md\n"
	enable   = "The API is not enabled in the project, or in that of your credentials: gcloud services enable\n"
)

// advice returns the line that says what to do about a failure which is not one of the deployment, unless the
// failure says so itself.
func advice(err error) string {
	text := err.Error()
	code := refusalOf(err)
	switch {
	case strings.Contains(text, "gcloud auth") || strings.Contains(text, "gcloud services enable") || strings.Contains(text, "roles/"):
		return ""
	case strings.Contains(text, "SERVICE_DISABLED") || strings.Contains(text, "has not been used in project"):
		return enable
	case code == http.StatusForbidden:
		return getRoles
	case code == http.StatusUnauthorized || strings.Contains(text, "could not find default credentials"):
		return logIn
	}
	return ""
}

// refusalOf returns the status with which an API has refused, over HTTP or gRPC; 0: it is another failure.
func refusalOf(err error) int {
	var refused *googleapi.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	switch status.Code(err) {
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	}
	return 0
}
