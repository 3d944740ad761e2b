package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// fakes is the folder of the fake gcloud, and of a sleep that does not.
var fakes string

func TestMain(m *testing.M) {
	code, err := withFakes(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withFakes(m *testing.M) (code int, err error) {
	if fakes, err = os.MkdirTemp("", "gcloud"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(fakes)
	if out, err := exec.Command("go", "build", "-o", filepath.Join(fakes, "gcloud"), "../internal/fake/gcloud").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(fakes, "sleep"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// A cloud is a project, in which a fake gcloud remembers what there is.
type cloud struct {
	t   *testing.T
	dir string
	env []string
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	return &cloud{t: t, dir: t.TempDir()}
}

// script runs gcloud.sh, which must succeed, in a new project. It returns what the script
// printed and how it called gcloud.
func script(t *testing.T, args ...string) (printed string, calls []string) {
	t.Helper()
	return newCloud(t).script(args...)
}

func try(t *testing.T, args ...string) (printed string, calls []string, err error) {
	t.Helper()
	return newCloud(t).try(args...)
}

func (c *cloud) script(args ...string) (printed string, calls []string) {
	c.t.Helper()
	printed, calls, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("gcloud.sh %q: %v\n%s", args, err, printed)
	}
	return printed, calls
}

func (c *cloud) try(args ...string) (printed string, calls []string, err error) {
	c.t.Helper()
	return c.run(exec.Command("bash", append([]string{"gcloud.sh", "--project=my-project-123"}, args...)...))
}

// gcloud calls the fake gcloud itself.
func (c *cloud) gcloud(args ...string) {
	c.t.Helper()
	if out, _, err := c.run(exec.Command(filepath.Join(fakes, "gcloud"), args...)); err != nil {
		c.t.Fatalf("gcloud %q: %v\n%s", args, err, out)
	}
}

func (c *cloud) run(cmd *exec.Cmd) (printed string, calls []string, err error) {
	c.t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		c.t.Skip("bash is not installed")
	}
	before := len(c.world().Calls)
	cmd.Env = append(os.Environ(), "FAKE_GCLOUD="+c.dir, "PATH="+fakes+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // for the fake to kill
	out, err := cmd.CombinedOutput()
	for _, call := range c.world().Calls[before:] {
		calls = append(calls, quote(call)+"\n")
	}
	return string(out), calls, err
}

// world is what the fake gcloud remembers.
type world struct {
	Calls  [][]string
	Things map[string]map[string]any
	Roles  map[string][]string
}

func (c *cloud) world() (w world) {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "world.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return world{}
	}
	if err == nil {
		err = json.Unmarshal(text, &w)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return w
}

// things returns the IDs of what is there, and the roles, each as THING: ROLE MEMBER.
func (c *cloud) things() (ids, roles []string) {
	c.t.Helper()
	w := c.world()
	for on, granted := range w.Roles {
		for _, role := range granted {
			roles = append(roles, on+": "+role)
		}
	}
	slices.Sort(roles)
	return slices.Sorted(maps.Keys(w.Things)), roles
}

// property returns the value at a path of names within a thing.
func (c *cloud) property(id, path string) any {
	c.t.Helper()
	var at any = c.world().Things[id]
	for name := range strings.SplitSeq(path, ".") {
		inner, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = inner[name]
	}
	return at
}

var special = regexp.MustCompile(`[][ '"\\|&;()<>!{}*?^$` + "`" + `,]`)

// quote joins words as the script prints them, with bash's %q.
func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = special.ReplaceAllString(word, `\$0`)
	}
	return strings.Join(quoted, " ")
}

// shown returns the commands that a script printed, without the name gcloud.
func shown(printed string) (commands []string) {
	for line := range strings.Lines(printed) {
		if command, ok := strings.CutPrefix(line, "+ gcloud "); ok {
			commands = append(commands, command)
		}
	}
	return commands
}

// with returns the commands that begin with words.
func with(commands []string, words string) []string {
	return slices.DeleteFunc(slices.Clone(commands), func(c string) bool { return !strings.HasPrefix(c, words+" ") })
}

var lookups = regexp.MustCompile(`^[-a-z ]+ (describe|list)\b`)

// changes returns the calls that do more than look.
func changes(calls []string) []string {
	return slices.DeleteFunc(slices.Clone(calls), lookups.MatchString)
}
