package convert

import (
	"net/url"
	"regexp"

	"example.com/eventdriver/driver/decode"
)

// eventsFolder begins the paths that name a source.
const eventsFolder = "/events/"

// pathName matches the names of sources that a path can name.
var pathName = regexp.MustCompile(`^[A-Za-z][-_A-Za-z0-9]*$`)

// SourcePath returns the path of requests that bring events of the source, /events/NAME, or ""
// for a name that a path can't have: it must be a letter, then letters, digits, hyphens and
// underscores, [decode.MaxName] bytes at most.
func SourcePath(source string) string {
	if len(source) > decode.MaxName || !pathName.MatchString(source) {
		return ""
	}
	return eventsFolder + source
}

// sourceInPath returns the source that a request's path names, or "". Only one spelling of a path
// names the source: the path is compared as it was sent.
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
