// Package browser drives the console of cmd/local in a real Chromium.
package browser

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var binary string // of cmd/local

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "browser")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "local")
	build := exec.Command("go", "build", "-o", binary, "./cmd/local")
	build.Dir = "../.."
	if output, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, output))
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// chromium returns the browser, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed; proof/browser/install tries to")
	return ""
}

// local is a running cmd/local.
type local struct {
	console, publish string // URLs
	command          *exec.Cmd
	ended            chan struct{}
	log              *lines
}

// lines collects what a process writes.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

var (
	consoleAt = regexp.MustCompile(`http://[^/\s]+/?(?:\s|$)`)
	publishAt = regexp.MustCompile(`'(http://[^/]+)/publish/`)
)

// start runs cmd/local until the test ends.
func start(t *testing.T, variables []string, args ...string) *local {
	t.Helper()
	l := &local{log: new(lines), ended: make(chan struct{})}
	args = append([]string{"-addr", "127.0.0.1:0", "-publish-addr", "127.0.0.1:0", "-console-addr", "127.0.0.1:0"}, args...)
	l.command = exec.Command(binary, args...)
	l.command.Env = append([]string{"HOME=" + t.TempDir(), "NO_COLOR=1"}, variables...)
	out, err := l.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.command.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go l.read(out, ready)
	t.Cleanup(l.stop)
	select {
	case <-ready:
	case <-l.ended:
		t.Fatalf("cmd/local ended:\n%s", l.log)
	case <-time.After(time.Minute):
		t.Fatalf("cmd/local does not start:\n%s", l.log)
	}
	return l
}

// read reads the log to its end, and closes ready when it has named both URLs.
func (l *local) read(log io.Reader, ready chan struct{}) {
	defer close(l.ended)
	scanner := bufio.NewScanner(io.TeeReader(log, l.log))
	scanner.Buffer(nil, 1<<20)
	for said := false; scanner.Scan(); {
		line := scanner.Text()
		if at := publishAt.FindStringSubmatch(line); at != nil {
			l.publish = at[1]
		}
		if at := consoleAt.FindString(line); at != "" && strings.Contains(line, "console") {
			l.console = strings.TrimRight(strings.TrimSpace(at), "/")
		}
		if !said && l.publish != "" && l.console != "" {
			said = true
			close(ready)
		}
	}
}

func (l *local) stop() {
	_ = l.command.Process.Signal(syscall.SIGINT)
	select {
	case <-l.ended:
	case <-time.After(20 * time.Second):
		_ = l.command.Process.Kill()
	}
	_ = l.command.Wait()
}

// send publishes an event as another program would.
func (l *local) send(t *testing.T, source, key, content string) {
	t.Helper()
	to := l.publish + "/publish/" + url.PathEscape(source) + "?" + url.Values{"key": {key}}.Encode()
	answer, err := http.Post(to, "application/json", strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		t.Fatalf("publish: %s", answer.Status)
	}
}

// page is a tab.
type page struct {
	*testing.T
	ctx context.Context
}

// browse opens a browser with an empty tab.
func browse(t *testing.T) page {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.Flag("no-sandbox", true),
		chromedp.WindowSize(1280, 800))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	p := page{t, ctx}
	thrown := cdp.Events(ctx, chromedp.FromContext(ctx).Target, runtime.ExceptionThrown)
	go func() {
		for e, err := range thrown {
			if err != nil {
				return
			}
			t.Errorf("the page threw: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
		}
	}()
	p.dark(false)
	return p
}

// patience is how long a step may take.
const patience = 30 * time.Second

func run[T any](p page, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

func (p page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	for _, action := range actions {
		if _, err := run(p, action); err != nil {
			p.Fatalf("%v\n%s", err, p.text("main"))
		}
	}
}

// open goes to an address of a console, and waits until the page has seen all keys.
func (p page) open(l *local, hash string) {
	p.Helper()
	p.do(chromedp.Navigate(l.console + "/" + hash))
	p.until(`document.getElementById("shown").textContent !== ""`)
}

// js evaluates an expression.
func js[T any](p page, expression string) T {
	p.Helper()
	result, err := run(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("%s: %v", expression, err)
	}
	return result
}

// until waits until an expression is true.
func (p page) until(expression string) {
	p.Helper()
	if _, err := run(p, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(30*time.Millisecond))); err != nil {
		p.Fatalf("not so: %s: %v\n%s\nsaid: %s", expression, err, p.text("main"), p.text("#said"))
	}
}

// wait is until for what may take minutes.
func (p page) wait(expression string) {
	p.Helper()
	for begun := time.Now(); !js[bool](p, expression); {
		if time.Since(begun) > 3*time.Minute {
			p.Fatalf("not so: %s\n%s\nsaid: %s", expression, p.text("main"), p.text("#said"))
		}
		js[bool](p, `new Promise((resolve) => setTimeout(resolve, 500, true))`)
	}
}

// element is an expression for a visible element that a selector finds, with a text in it.
func element(selector, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%q)].find((e) => e.checkVisibility() && e.innerText.includes(%q))`, selector, text)
}

// sees waits until there is such an element.
func (p page) sees(selector, text string) {
	p.Helper()
	p.until(element(selector, text) + " !== undefined")
}

func (p page) click(selector, text string) {
	p.Helper()
	p.sees(selector, text)
	js[bool](p, "("+element(selector, text)+".click(), true)")
}

// text is what an element shows.
func (p page) text(selector string) string {
	text, _ := run(p, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector)))
	return text
}

// dark has the page prefer the dark scheme, or the light one.
func (p page) dark(dark bool) {
	p.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
}

// shot writes a picture of what is to be seen, in its 256 commonest colours.
func (p page) shot(name string) {
	p.Helper()
	picture, err := run(p, chromedp.CaptureScreenshot())
	if err != nil {
		p.Fatal(err)
	}
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		p.Fatal(err)
	}
	var small bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&small, reduced(full)); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(name, small.Bytes(), 0o644); err != nil {
		p.Fatal(err)
	}
}

func reduced(full image.Image) image.Image {
	count := make(map[color.Color]int)
	bounds := full.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[full.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	small := image.NewPaletted(bounds, colours[:min(len(colours), 256)])
	draw.Draw(small, bounds, full, bounds.Min, draw.Src)
	return small
}
