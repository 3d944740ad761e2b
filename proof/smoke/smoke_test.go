package smoke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/internal/repo/prove"
)

const stubVariable = "SMOKE_STUB" // where the commands of a test are served

// TestMain is terraform and gcloud, too, where it is called so.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == "terraform" || name == "gcloud" {
		os.Exit(stub(name))
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // of the function
	os.Exit(m.Run())
}

func stub(name string) int {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	body, err := json.Marshal(call{Program: name, Dir: dir, Args: os.Args[1:]})
	if err != nil {
		panic(err)
	}
	response, err := http.Post(os.Getenv(stubVariable), "application/json", bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		panic(err)
	}
	fmt.Print(a.Out)
	return a.Code
}

// cloned is a folder with what a trial reads of the clone, and with a business that logs as the sample does: the clone's
// may be another one.
func cloned(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, file := range []string{"terraform/examples/orders/main.tf", "terraform/examples/orders/variables.tf", "docs/design.md"} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(root, file), string(text))
	}
	put(t, filepath.Join(root, "orders.go"), fmt.Sprintf("slog.InfoContext(ctx, %q)", acted))
	return root
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// try runs a trial in the world, and returns what it printed.
func (w *world) try(ctx context.Context, change func(*Options)) (printed string, err error) {
	var out bytes.Buffer
	o := Options{Project: project, Root: cloned(w.t), Yes: true, Within: 20 * time.Second, Pause: 20 * time.Millisecond, In: strings.NewReader(""),
		Out: &out, Endpoint: strings.TrimSuffix(os.Getenv(stubVariable), "/command")}
	if change != nil {
		change(&o)
	}
	err = Run(ctx, o)
	if folders, _ := os.ReadDir(filepath.Join(o.Root, "bin", "smoke")); (len(folders) > 0) != (w.left() != "") {
		w.t.Errorf("the state of Terraform must be kept while it has something, and no longer: %d folders, left is %q", len(folders), w.left())
	}
	return out.String(), err
}

// TestRun: every order is processed, the poison is dead-lettered, doctor is content, and nothing is left.
func TestRun(t *testing.T) {
	w := newWorld(t)
	w.applyFails, w.destroyFails = 1, 1 // as in a new project
	printed, err := w.try(t.Context(), nil)
	if err != nil || w.left() != "" || !w.everMade {
		t.Fatalf("%v, left is %q:\n%s", err, w.left(), printed)
	}
	for _, text := range []string{"orders: complete", "dead letters: complete", "log: complete", "doctor: nothing is wrong", "30 Class A and 54 Class B"} {
		if !strings.Contains(printed, text) {
			t.Errorf("it does not say %q:\n%s", text, printed)
		}
	}
	if n := len(w.ran("gcloud pubsub topics publish")); n != 6*3*2+1 {
		t.Errorf("%d events were published", n)
	}
	slices.Sort(w.logged)
	if want := []string{"order-1", "order-2", "order-3", "order-4", "order-5", "order-6"}; !slices.Equal(w.logged, want) {
		t.Errorf("the business acted for %q", w.logged)
	}
}

// TestAnotherBusiness: the log of a business that says something else is not looked at.
func TestAnotherBusiness(t *testing.T) {
	w := newWorld(t)
	w.acts = 0
	printed, err := w.try(t.Context(), func(o *Options) { put(t, filepath.Join(o.Root, "orders.go"), `slog.Info("parcel booked")`) })
	if err != nil || strings.Contains(printed, "log: ") {
		t.Errorf("%v:\n%s", err, printed)
	}
}

// TestFailures: each failure is told, and everything is taken down all the same.
func TestFailures(t *testing.T) {
	prove.Only(t, "it waits in vain in a trial after another, for half a minute")
	lostOf := func(texts ...string) func([]string) bool {
		return func(args []string) bool {
			return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(strings.Join(args, " "), text) })
		}
	}
	for name, c := range map[string]struct {
		breaks func(*world)
		within time.Duration
		says   []string
	}{
		"apply fails":          {func(w *world) { w.applyFails = attempts }, 0, []string{"terraform -chdir=bin/smoke/smoke-", "exit status 1"}},
		"an event is lost":     {func(w *world) { w.lost = lostOf("event3", "order-2") }, time.Second, []string{"order-2 (event1, event3, event2) is not completed, but waiting", "event3"}},
		"the poison vanishes":  {func(w *world) { w.lost = lostOf("poison") }, 4 * time.Second, []string{"the event without a key is not among the dead letters"}},
		"an order acts twice":  {func(w *world) { w.acts = 2 }, 0, []string{"was processed 2 times"}},
		"an order is unlogged": {func(w *world) { w.acts = 0 }, 4 * time.Second, []string{`no line "order processed" of order-1`}},
		"doctor finds":         {func(w *world) { w.uninvoked = true }, 0, []string{"doctor has 1 findings"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.breaks(w)
			printed, err := w.try(t.Context(), func(o *Options) {
				if c.within > 0 {
					o.Within = c.within
				}
			})
			if err == nil || !w.everMade || w.left() != "" {
				t.Fatalf("%v, left is %q:\n%s", err, w.left(), printed)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("the error does not say %q: %v\n%s", text, err, printed)
				}
			}
		})
	}
}

// TestInterrupted: Terraform is interrupted, not killed, and then takes down.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	ctx, interrupt := context.WithCancel(t.Context())
	w.applying = interrupt
	printed, err := w.try(ctx, nil)
	if err == nil || !strings.Contains(err.Error(), "interrupted") || !w.everMade || w.left() != "" {
		t.Errorf("%v, left is %q:\n%s", err, w.left(), printed)
	}
	if n := len(w.ran("terraform")); n != 3 { // init, apply, destroy
		t.Errorf("%q", w.ran("terraform"))
	}
}

// TestLeft: where it can't take down, or is told not to, it says how to do it by hand, and keeps Terraform's state.
func TestLeft(t *testing.T) {
	prove.Only(t, "two trials more, of some seconds")
	for name, change := range map[string]func(*world, *Options){
		"destroy fails": func(w *world, _ *Options) { w.destroyFails = attempts },
		"keep":          func(_ *world, o *Options) { o.Keep = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			printed, err := w.try(t.Context(), func(o *Options) { change(w, o) })
			if (err == nil) != (name == "keep") || w.left() == "" {
				t.Errorf("%v, left is %q:\n%s", err, w.left(), printed)
			}
			if text := fmt.Sprint(printed, err); !strings.Contains(text, "terraform -chdir=bin/smoke/"+w.left()+" destroy") {
				t.Errorf("it does not say how to take it down: %s", text)
			}
		})
	}
}

// TestNothingIsDone: without consent, and in a dry run.
func TestNothingIsDone(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no consent":  func(o *Options) { o.Yes = false },
		"another":     func(o *Options) { o.Yes, o.In = false, strings.NewReader("shop-test\n") },
		"no project":  func(o *Options) { o.Project = "" },
		"no example":  func(o *Options) { o.Example = "existing-topics" },
		"dry run":     func(o *Options) { o.DryRun = true },
		"dry, unkept": func(o *Options) { o.DryRun, o.Example = true, "bigquery" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			printed, err := w.try(t.Context(), change)
			if dry := strings.HasPrefix(name, "dry"); (err == nil) != dry || w.everMade || len(w.ran("")) > 0 {
				t.Errorf("%v, ran %q:\n%s", err, w.ran(""), printed)
			} else if n := strings.Count(printed, "+ gcloud pubsub topics publish"); dry && n != 37 {
				t.Errorf("it prints %d commands that publish:\n%s", n, printed)
			}
		})
	}
}

// TestInterruptedBeforeConsent: nobody types, and Ctrl-C ends it.
func TestInterruptedBeforeConsent(t *testing.T) {
	w := newWorld(t)
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	silent, end := io.Pipe()
	defer end.Close()
	_, err := w.try(ctx, func(o *Options) { o.Yes, o.In = false, silent })
	if err == nil || len(w.ran("")) > 0 {
		t.Errorf("%v, ran %q", err, w.ran(""))
	}
}

// TestConsent: the project's ID is consent.
func TestConsent(t *testing.T) {
	w := newWorld(t)
	w.applyFails = attempts // that it got there is enough
	_, err := w.try(t.Context(), func(o *Options) {
		o.Yes, o.In = false, io.MultiReader(strings.NewReader(project), strings.NewReader("\n"))
	})
	if err == nil || !w.everMade {
		t.Errorf("%v", err)
	}
}
