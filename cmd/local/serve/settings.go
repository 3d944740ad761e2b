package serve

import (
	"slices"
	"strings"
)

// settings are the function's variables: those that are set here, and for all others the
// values of fallback.
type settings struct {
	here      map[string]string
	fallback  func(name string) (string, bool)
	inherited []string // NAME=value, what the process of an instance gets beside those set here
}

func (s settings) lookup(name string) (string, bool) {
	if value, set := s.here[name]; set {
		return value, true
	}
	return s.fallback(name)
}

// setUnlessSet sets the variable unless it has a value, and returns its value.
func (s settings) setUnlessSet(name, value string) string {
	if set, _ := s.lookup(name); set != "" {
		return set
	}
	s.here[name] = value
	return value
}

// environment returns the variables, NAME=value, of an instance in a process of its own.
func (s settings) environment() []string {
	all := slices.DeleteFunc(slices.Clone(s.inherited), func(v string) bool { return strings.HasPrefix(v, "FUNCTION_TARGET=") })
	for name, value := range s.here {
		all = append(all, name+"="+value)
	}
	return all
}
