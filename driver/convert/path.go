package convert

import (
	"context"
	"log/slog"
	"net/url"
	"regexp"
)

// eventsFolder begins the paths that name a source.
const eventsFolder = "/events/"

// pathName is what a source must be called so that a path can name it.
var pathName = regexp.MustCompile(`^[A-Za-z][-_A-Za-z0-9]*$`)

// SourcePath returns the path of the requests that bring events of the source,
// /events/NAME, or "" for a name that a path can't have: it must be a letter, then
// letters, digits, hyphens and underscores, [MaxName] at most.
func SourcePath(source string) string {
	if len(source) > MaxName || !pathName.MatchString(source) {
		return ""
	}
	return eventsFolder + source
}

// sourceInPath returns the source that a request's path names, or "". The path is
// taken as it was sent: no other spelling of it names the source as well.
func sourceInPath(u *url.URL) string {
	path := u.EscapedPath()
	if len(path) < len(eventsFolder) {
		return ""
	}
	if name := path[len(eventsFolder):]; SourcePath(name) == path {
		return name
	}
	return ""
}

type sourceKey struct{}

// WithSource returns a context that says which source an event comes from, for
// [SourceFrom]. It prevails over what the event says of itself. [ToHTTPHandler]
// calls it for requests whose path is that of a source; call it yourself where
// another part of a request, or the place where you receive events, names the source; a
// dead letter then has the source, and no path.
// With an empty name it returns ctx.
func WithSource(ctx context.Context, source string) context.Context {
	if source == "" {
		return ctx
	}
	return context.WithValue(ctx, sourceKey{}, source)
}

// SourceFrom returns the source that the context was given by [WithSource], or "".
func SourceFrom(ctx context.Context) string {
	source, _ := ctx.Value(sourceKey{}).(string)
	return source
}

// warnOfOther logs that an event says of itself that it comes from another source
// than the one that its path names: one of the two is set up by mistake.
func warnOfOther(ctx context.Context, d *delivery, named, own string) {
	loggerFrom(ctx).LogAttrs(ctx, slog.LevelWarn, "the event's path and its ce-source name different sources, the path decides",
		slog.String("event", brief(d.event.ID())), slog.String("source", brief(named)), slog.String("other", brief(own)))
}
