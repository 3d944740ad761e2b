package main

import (
	"errors"
	"fmt"
	"strings"
)

// checkModulePath returns what is wrong with a new module path. The rules are
// those of https://go.dev/ref/mod#go-mod-file-ident, and one of the buildpack
// that Google compiles functions with: it takes a path whose first element has
// no dot for one of the standard library.
func checkModulePath(path string) error {
	if path == "" {
		return errors.New("which module path? Say: make rename MODULE=github.com/you/orders")
	}
	first, rest, _ := strings.Cut(path, "/")
	if !strings.Contains(first, ".") {
		return fmt.Errorf("module path %q: its first element, %q, must have a dot, as in github.com/you/orders; Google's Go buildpack demands it", path, first)
	}
	for i := range len(first) {
		if c := first[i]; !isLowerOrDigit(c) && c != '-' && c != '.' || i == 0 && c == '-' {
			return fmt.Errorf("module path %q: its first element, %q, must be a host's name, of lower-case letters, digits, dots and dashes", path, first)
		}
	}
	for element := range strings.SplitSeq(path, "/") {
		if err := checkElement(element); err != nil {
			return fmt.Errorf("module path %q: %w", path, err)
		}
	}
	return checkMajor(path, rest)
}

func checkElement(element string) error {
	switch {
	case element == "":
		return errors.New("it must have no empty element: no slash at its ends, no two in a row")
	case element[0] == '.' || element[len(element)-1] == '.':
		return fmt.Errorf("element %q must not begin or end with a dot", element)
	}
	for i := range len(element) {
		if c := element[i]; !isAlphanumeric(c) && strings.IndexByte("-._~", c) < 0 {
			return fmt.Errorf(`element %q must be of letters, digits and "-._~", without %q`, element, c)
		}
	}
	return nil
}

// checkMajor refuses a last element that looks like a major version and is none:
// v0 and v1 are never written, and v02 is not v2.
func checkMajor(path, rest string) error {
	last := rest[strings.LastIndexByte(rest, '/')+1:]
	number, isVersion := strings.CutPrefix(last, "v")
	if !isVersion || number == "" || strings.Trim(number, "0123456789") != "" {
		return nil
	}
	if number == "1" || number[0] == '0' {
		return fmt.Errorf("module path %q: the major version at its end must be v2 or later, without leading zeros", path)
	}
	return nil
}
