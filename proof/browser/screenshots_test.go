package browser

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

var folder = flag.String("screenshots", "", "the `folder` of the pictures to take")

// largest is the most bytes of a picture.
const largest = 150_000

// TestScreenshots takes the pictures that the documentation shows.
func TestScreenshots(t *testing.T) {
	if *folder == "" {
		t.Skip("no -screenshots: make screenshots takes them")
	}
	if err := os.MkdirAll(*folder, 0o755); err != nil {
		t.Fatal(err)
	}
	l, p := start(t, nil, "-instances", "3"), browse(t)
	p.do(chromedp.EmulateViewport(1280, 760))
	p.furnish(l)
	p.open(l, "#/tour")
	for i := 1; i <= 6; i++ {
		step := fmt.Sprintf("#tour > li:nth-child(%d)", i)
		p.sees(step, "")
		js[bool](p, fmt.Sprintf(`(document.querySelector("%s .go").click(), true)`, step))
		if i == 6 {
			p.click(step+" button", "Fix it, and send it again")
		}
		p.wait(fmt.Sprintf(`document.querySelector("%s .check").classList.contains("ok")`, step))
	}
	killed := js[string](p, `document.querySelector("#tour > li:nth-child(5) a").hash`)
	for _, s := range []struct {
		name, state string
		dark        bool
	}{
		{"keys", "#/keys/order-2", false}, {"takeover", killed, false}, {"takeover-dark", killed, true},
		{"publish", "#/publish", false}, {"trouble", "#/trouble", false}, {"tour", "#/tour", false},
		{"letter", js[string](p, `document.querySelector("#letter-rows a").hash`), false},
	} {
		p.dark(s.dark)
		js[bool](p, fmt.Sprintf(`(location.hash = %q, document.getElementById("said").textContent = "", true)`, s.state))
		p.until(`document.getElementById("key").hidden || document.getElementById("key-why").textContent !== ""`)
		js[bool](p, `(document.activeElement.blur(), scrollTo(0, 0), new Promise((r) => setTimeout(r, 500, true)))`)
		name := filepath.Join(*folder, s.name+".png")
		p.shot(name)
		if info, err := os.Stat(name); err != nil || info.Size() > largest {
			t.Errorf("%s: %v, or more than %d bytes", name, err, largest)
		}
	}
}
