// Command gcloud stands in for Google's: it remembers what was created, changed and
// deleted, and answers as the real one does (deploy's TestFakePrintsWhatGcloudPrints
// compares them). It knows what deploy/gcloud.sh calls and checks no flags.
//
// FAKE_GCLOUD names the folder of its state. FAKE_GCLOUD_DENY has it deny all that is
// looked at, and FAKE_GCLOUD_KILL=3 end its process group after it has done the third call.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	words, flags := parse(os.Args[1:])
	w, err := load(os.Getenv("FAKE_GCLOUD"))
	if err == nil {
		w.record(os.Args[1:])
		var answer string
		answer, err = w.do(words, flags)
		fmt.Print(answer)
		err = errors.Join(err, w.save())
	}
	if w != nil && os.Getenv("FAKE_GCLOUD_KILL") == strconv.Itoa(len(w.Calls)) {
		_ = syscall.Kill(0, syscall.SIGKILL)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "ERROR: (gcloud.%s) %v\n", strings.Join(words[:min(3, len(words))], "."), err)
		os.Exit(1)
	}
}

// says returns an error with the words of gcloud's.
func says(format string, args ...any) error { return fmt.Errorf(format, args...) }

// parse returns the words before the flags, and the flags by their names.
func parse(args []string) (words []string, flags map[string]string) {
	flags = make(map[string]string)
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if flag, ok := strings.CutPrefix(name, "--"); ok {
			flags[flag] = value
			continue
		}
		words = append(words, arg)
	}
	return words, flags
}

// do does what a command says, and returns what gcloud prints.
func (w *world) do(words []string, flags map[string]string) (answer string, err error) {
	command := strings.Join(words, " ")
	switch {
	case strings.HasPrefix(command, "services enable "), strings.HasPrefix(command, "run services update-traffic "),
		strings.HasPrefix(command, "run revisions list"), strings.HasPrefix(command, "pubsub subscriptions pull "):
		return "", nil
	case strings.HasPrefix(command, "projects describe "):
		return project(words[2]).print(flags["format"]), nil
	}
	for _, k := range kinds {
		verb, ok := strings.CutPrefix(command, k.words+" ")
		if !ok {
			continue
		}
		fields := strings.Fields(strings.Replace(verb, " http", "", 1))
		lookup := slices.Contains([]string{"describe", "list"}, fields[0])
		if lookup && os.Getenv("FAKE_GCLOUD_DENY") != "" {
			return "", says("PERMISSION_DENIED: ask somebody")
		}
		if fields[0] == "list" {
			return w.list(k, flags), nil
		}
		return w.one(k, fields[0], strings.TrimPrefix(fields[1], "gs://"), flags)
	}
	return "", says("Invalid choice: the fake knows no %s", command)
}

// one does what a command says to one thing.
func (w *world) one(k kind, verb, name string, flags map[string]string) (answer string, err error) {
	id := k.id(name, flags)
	is, there := w.Things[id]
	switch {
	case verb == "deploy" && !there, verb == "create" && !there:
		return "", w.create(k, id, name, flags)
	case verb == "create":
		return "", says("ALREADY_EXISTS: Resource already exists in the project (resource=%s).", name)
	case verb == "remove-iam-policy-binding" && k.words == "projects", verb == "add-iam-policy-binding" && k.words == "projects":
	case !there:
		return "", says(k.absent, name)
	}
	switch verb {
	case "describe":
		return is.print(flags["format"]), nil
	case "update", "deploy", "set-cleanup-policies":
		k.change(is, flags)
		return "", nil
	case "delete":
		w.delete(k, id, name)
		return "", nil
	case "add-iam-policy-binding":
		return "", w.grant(id, flags)
	case "remove-iam-policy-binding":
		return "", w.revoke(id, flags)
	}
	return "", says("Invalid choice: %s", verb)
}
