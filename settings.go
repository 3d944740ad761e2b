package eventdriver

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
)

// setting is a row of the table of settings: all that there is to say about one
// variable. The configuration is read and checked by it, and docs/configuration.md is
// written from it. The variables are few and flat, and each error says what was
// wanted: a library that fills a struct from the environment would save nothing here.
//
// Errors quote values, so a setting must not be a secret.
type setting struct {
	name      string                           // of the environment variable
	unset     string                           // the value where the variable is not set; "": none
	infer     func(Config, environment) string // that value, where it follows from others; nil: it does not
	unsetText string                           // what the documentation says of that; "": unset
	must      string                           // what the value must be, for errors
	about     string                           // what it is for, in Markdown
	field     func(*Config) flag.Value         // what reads and writes the field
	check     func(Config) error               // says what is wrong with a value that could be read; nil: nothing is
}

// settings returns the table. Rows may depend on those before them.
func settings() []setting {
	rows := slices.Concat(inputSettings, storeSettings)
	for _, kind := range storeKinds() {
		rows = append(rows, kind.settings...)
	}
	return append(rows, runSettings...)
}

// Setting is an environment variable that the function is set up by.
type Setting struct {
	Name    string
	Default string // the value where it is not set; "": none, or it follows from other settings
	Store   string // the store that it is of; "": it is of the function
}

// Settings returns all of them, in the order of docs/configuration.md.
func Settings() (all []Setting) {
	of := make(map[string]string) // stores, by the names of their settings
	for _, kind := range storeKinds() {
		for _, s := range kind.settings {
			of[s.name] = kind.name
		}
	}
	for _, s := range settings() {
		all = append(all, Setting{s.name, s.unset, of[s.name]})
	}
	return all
}

// DefaultConfig is what holds where no variable is set.
func DefaultConfig() Config {
	c, _ := ConfigFromEnv(func(string) (string, bool) { return "", false })
	return c
}

// ConfigFromEnv reads the configuration with lookup, usually [os.LookupEnv]. Its
// error lists everything that is wrong, a line for each variable: its name, what it must
// be and what it is. The variables are listed in docs/configuration.md.
func ConfigFromEnv(lookup func(name string) (string, bool)) (Config, error) {
	var c Config
	unread := make(map[string]error) // by variable
	for _, s := range settings() {
		if err := s.read(&c, lookup); err != nil {
			unread[s.name] = err
		}
	}
	return c, c.validate(unread)
}

// Validate returns an error that lists everything that is wrong, as that of
// [ConfigFromEnv] does, or nil.
func (c Config) Validate() error { return c.validate(nil) }

// validate checks all settings but those that could not even be read.
func (c Config) validate(unread map[string]error) error {
	var problems []error
	for _, s := range settings() {
		err, found := unread[s.name]
		if !found {
			err = s.validate(c)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// environment looks variables up.
type environment func(name string) (value string, set bool)

func (env environment) text(name string) string {
	value, _ := env(name)
	return strings.TrimSpace(value)
}

// read reads the variable into its field. One that is set, but empty, counts as not
// set, except for a list, which it empties.
func (s setting) read(c *Config, env environment) error {
	value, field := s.unset, s.field(c)
	if s.infer != nil {
		value = s.infer(*c, env)
	}
	if value != "" {
		if err := field.Set(value); err != nil {
			return s.problem(value, err)
		}
	}
	given, set := env(s.name)
	_, isList := field.(*list)
	if given = strings.TrimSpace(given); given == "" && !(set && isList) {
		return nil
	}
	if err := field.Set(given); err != nil {
		return s.problem(given, err)
	}
	return nil
}

// validate checks the field.
func (s setting) validate(c Config) error {
	field := s.field(&c)
	checks := []func() error{}
	if checker, ok := field.(interface{ check() error }); ok {
		checks = append(checks, checker.check)
	}
	if s.check != nil {
		checks = append(checks, func() error { return s.check(c) })
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return s.problem(field.String(), err)
		}
	}
	return nil
}

// errInvalid is the error of a value of which there is nothing to say but what it must be.
var errInvalid = errors.New("it is not valid")

// unless returns errInvalid unless ok.
func unless(ok bool) error {
	if ok {
		return nil
	}
	return errInvalid
}

// problem returns the line of an error that is about this setting.
func (s setting) problem(value string, err error) error {
	line := fmt.Sprintf("%s must be %s; it is %s", s.name, s.must, quoted(value))
	if !errors.Is(err, errInvalid) {
		line += ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return errors.New(line)
}

// quoted quotes a value, or its beginning.
func quoted(value string) string {
	const most = 200 // bytes
	if len(value) > most {
		return fmt.Sprintf("%q…", value[:most])
	}
	return fmt.Sprintf("%q", value)
}
