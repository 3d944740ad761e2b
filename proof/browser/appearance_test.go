package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// states are the addresses of what the console shows, of a run that furnish has filled.
var states = []string{"#/keys", "#/keys/order-1", "#/keys/order-2", "#/publish", "#/trouble",
	"#/letters", "#/letters/FIRST", "#/sweep", "#/tour"}

// furnish makes keys in several states, letters, troubles and events that are held back.
func (p page) furnish(l *local) {
	p.Helper()
	p.open(l, "")
	act := func(name, body string) {
		p.Helper()
		if status := js[int](p, fmt.Sprintf(`fetch("/api/%s",
			{method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(%s)}).then((r) => r.status)`,
			name, body)); status != 200 {
			p.Fatalf("%s %s: %d", name, body, status)
		}
	}
	order := func(key string, sources ...string) {
		p.Helper()
		for _, source := range sources {
			act("publish", fmt.Sprintf(`{events: [{source: %q, key: %q, content: '{"order":%q,"number":9007199254740993}'}]}`, source, key, key))
		}
	}
	order("order-1", "event1", "event2", "event3")
	order("order-2", "event3")
	order("order-3", "event2", "event1")
	act("trouble", `{kind: "fail", key: "order-4", times: 1}`)
	order("order-4", "event3", "event2", "event1")
	act("publish", `{events: [{source: "event2", key: "order-5", content: "{wrong", attributes: {"content-type": "application/json"}}]}`)
	order("order-5", "event1")
	act("publish", `{events: [{source: "event3", key: "", content: "{}"}]}`)
	act("hold", `{source: "event3", key: "order-6"}`)
	order("order-6", "event1", "event2", "event3")
	act("trouble", `{kind: "hang", key: "order-9", seconds: 30}`)
	for _, key := range []string{"order-1", "order-4"} {
		p.until(fmt.Sprintf(`document.getElementById("grid-rows").byKey?.get(%q)?.textContent.includes("done")`, key))
	}
	p.until(`document.querySelectorAll("#grid-rows tr").length === 6 && document.querySelectorAll("#letter-rows tr").length === 2`)
}

// visit calls check with each state in turn.
func (p page) visit(l *local, check func(state string)) {
	p.Helper()
	first := js[string](p, `document.querySelector("#letter-rows a").hash`)
	for _, state := range states {
		if state == "#/letters/FIRST" {
			state = first
		}
		p.open(l, state)
		p.until(`document.getElementById("published").children.length > 0 && document.getElementById("tour").children.length === 6`)
		js[bool](p, `(document.querySelectorAll("details").forEach((d) => { d.open = true }), true)`)
		check(state)
	}
}

// contrast lists the texts on the page whose contrast to what is behind them is below 4.5.
const contrast = `(() => {
	window.least = 99; window.texts = 0;
	const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
	const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
	const behind = (e) => { const layers = []; for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
		return layers.reverse().reduce((b, a) => over(a, b), [255, 255, 255, 1]); };
	const light = (c) => {
		const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const check = (e, colour, what) => {
		const back = behind(e), r = ratio(over(parse(colour), back), back);
		window.least = Math.min(window.least, r); window.texts++;
		if (r < 4.5) found.push(what.slice(0, 40) + " (" + e.tagName + "." + e.className + "): " + r.toFixed(2));
	};
	for (let n; (n = walk.nextNode());) if (n.data.trim() && n.parentElement.checkVisibility())
		check(n.parentElement, getComputedStyle(n.parentElement).color, n.data.trim());
	for (const e of document.querySelectorAll("input, textarea, select")) if (e.checkVisibility())
		check(e, getComputedStyle(e).color, e.value ?? "");
	for (const e of document.querySelectorAll("input[placeholder]")) if (e.checkVisibility())
		check(e, getComputedStyle(e, "::placeholder").color, "placeholder");
	return found })()`

// TestContrast computes the contrast of each text in each state, light and dark.
func TestContrast(t *testing.T) {
	l, p := start(t, nil, "-instances", "2"), browse(t)
	p.furnish(l)
	for _, dark := range []bool{false, true} {
		p.dark(dark)
		least, texts := 99.0, 0
		backs := js[string](p, `getComputedStyle(document.body).backgroundColor`)
		p.visit(l, func(state string) {
			for _, found := range js[[]string](p, contrast) {
				t.Errorf("%s, dark: %t: %s", state, dark, found)
			}
			least, texts = min(least, js[float64](p, `window.least`)), texts+js[int](p, `window.texts`)
		})
		t.Logf("dark: %t, behind it %s: %d texts, the least contrast %.2f", dark, backs, texts, least)
	}
}

// TestNames: each control has a name for screen readers, and each view its landmarks and headings.
func TestNames(t *testing.T) {
	l, p := start(t, nil, "-instances", "2"), browse(t)
	p.furnish(l)
	controls := map[string]bool{"button": true, "link": true, "textbox": true, "searchbox": true, "combobox": true, "checkbox": true,
		"spinbutton": true, "table": true, "navigation": true, "region": true, "dialog": true, "search": true, "group": false}
	named := 0
	p.visit(l, func(state string) {
		count := make(map[string]int)
		for _, node := range p.tree() {
			role, name := value(node.Role), value(node.Name)
			if node.Ignored {
				continue
			}
			count[role]++
			if controls[role] {
				named++
				if name == "" {
					t.Errorf("%s: a %s has no name", state, role)
				}
			}
		}
		if count["main"] != 1 || count["banner"] != 1 || count["navigation"] < 1 || count["heading"] < 1 || count["status"] < 1 {
			t.Errorf("%s: landmarks %v", state, count)
		}
		if ids := js[[]string](p, `[...document.querySelectorAll("[id]")].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i)`); len(ids) > 0 {
			t.Errorf("%s: the same IDs twice: %v", state, ids)
		}
	})
	p.open(l, "#/keys")
	roles := p.roles()
	for begun := time.Now(); roles["cell"] == 0 && time.Since(begun) < time.Minute; roles = p.roles() {
		js[bool](p, `new Promise((resolve) => setTimeout(resolve, 100, true))`) // rows have cells once they were laid out
	}
	if roles["table"] != 1 || roles["columnheader"] != 6 || roles["row"] != 7 || roles["cell"] != 36 {
		t.Errorf("the grid of 6 keys is no table: %d tables, %d headers, %d rows, %d cells", roles["table"], roles["columnheader"], roles["row"], roles["cell"])
	}
	t.Logf("%d controls, tables and landmarks with a name", named)
}

// roles counts the nodes of the tree by their roles.
func (p page) roles() map[string]int {
	p.Helper()
	roles := make(map[string]int)
	for _, node := range p.tree() {
		roles[value(node.Role)]++
	}
	return roles
}

func (p page) tree() []*accessibility.Node {
	p.Helper()
	tree, err := run(p, func(ctx context.Context, t *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
		return cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	})
	if err != nil {
		p.Fatal(err)
	}
	return tree.Nodes
}

func value(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var text string
	_ = json.Unmarshal(v.Value, &text) // what is no text has none
	return text
}

// TestNarrowScreens: nothing is wider than the screen of a telephone, but what scrolls by itself.
func TestNarrowScreens(t *testing.T) {
	l, p := start(t, nil), browse(t)
	p.furnish(l)
	for _, width := range []int64{320, 400, 800} {
		p.do(chromedp.EmulateViewport(width, 700))
		p.visit(l, func(state string) {
			if wide := js[int](p, `document.documentElement.scrollWidth`); wide > int(width) {
				t.Errorf("%s is %d pixels wide on a screen of %d", state, wide, width)
			}
		})
	}
}

// TestLayoutStaysPut: what comes in later moves nothing that was there.
func TestLayoutStaysPut(t *testing.T) {
	l, p := start(t, nil), browse(t)
	p.furnish(l)
	p.visit(l, func(state string) {
		shift := js[float64](p, `new Promise((resolve) => { let sum = 0;
			new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value; }).observe({type: "layout-shift", buffered: true});
			setTimeout(() => resolve(sum), 300); })`)
		t.Logf("%s: %.3f", state, shift)
		if shift > 0.1 {
			t.Errorf("%s: a layout shift of %.3f; 0.1 is good", state, shift)
		}
	})
}
