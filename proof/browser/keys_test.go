package browser

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestKeyIsJoined: a key appears, waits, and is done, and the page shows it without being loaded again.
func TestKeyIsJoined(t *testing.T) {
	l, p := start(t, nil), browse(t)
	p.open(l, "")
	l.send(t, "event2", "order-1", `{"item":"book","number":9007199254740993}`)
	p.sees("#grid-rows tr", "order-1")
	p.sees("#grid-rows .state", "waiting")
	p.click("#grid-rows a", "order-1")
	p.sees("#key-why", "It waits for event1, event3")
	p.until(`document.getElementById("object-names").innerText.split("/").slice(-2).join("/") === "events/event2"`)
	l.send(t, "event1", "order-1", `{}`)
	l.send(t, "event3", "order-1", `{"to":"Bergen"}`)
	p.sees("#grid-rows .state", "done")
	p.sees("#key-why", "Nothing happens any more")
	p.sees("#joined", "9007199254740993")
	p.sees("#story .ok", "the run succeeds")
	p.sees("#story li", "event3")
	p.until(`[...document.querySelectorAll("#object-names li")].map((e) => e.innerText.split("/order-1/")[1]).join() === "claim,done,events/event1,events/event2,events/event3"`)
}

// fill publishes an event of a source for many keys at once.
func (p page) fill(source string, n int) {
	p.Helper()
	js[int](p, fmt.Sprintf(`fetch("/api/publish", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({events:
		Array.from({length: %d}, (_, i) => ({source: %q, key: "order-" + i, content: "{}"}))})}).then((r) => r.status)`, n, source))
}

// TestThousandKeys: the grid has them all, lays out those in sight, and one key that changes changes one row.
func TestThousandKeys(t *testing.T) {
	l, p := start(t, nil), browse(t)
	p.open(l, "")
	p.fill("event1", 1000)
	p.wait(`document.querySelectorAll("#grid-rows tr").length === 1000`)
	p.sees("#shown", "1,000 of 1,000 keys")
	if n := js[int](p, `document.querySelectorAll("*").length`); n > 20_000 {
		t.Errorf("%d elements for 1,000 keys", n)
	}
	laidOut := js[int](p, `[...document.querySelectorAll("#grid-rows a")].filter((e) => e.checkVisibility({contentVisibilityAuto: true})).length`)
	t.Logf("of 1,000 rows, %d are laid out", laidOut)
	if laidOut > 200 {
		t.Errorf("%d rows are laid out", laidOut)
	}
	js[bool](p, `(() => {
		window.changes = 0;
		new MutationObserver((all) => { for (const m of all) if (!m.target.closest?.("td:last-child") && !m.target.parentElement?.closest("td:last-child")) window.changes++; })
			.observe(document.getElementById("grid-rows"), {subtree: true, childList: true, attributes: true, characterData: true});
		for (const tr of document.querySelectorAll("#grid-rows tr")) tr.old = true;
		return true })()`)
	l.send(t, "event2", "order-500", "{}")
	l.send(t, "event3", "order-500", "{}")
	p.until(`document.getElementById("grid-rows").byKey.get("order-500").textContent.includes("done")`)
	changes := js[int](p, `window.changes`)
	t.Logf("two events of one key: %d changes of the rows", changes)
	if changes > 40 {
		t.Errorf("%d changes of the rows for one key", changes)
	}
	if n := js[int](p, `[...document.querySelectorAll("#grid-rows tr")].filter((tr) => !tr.old).length`); n != 0 {
		t.Errorf("%d rows were made anew", n)
	}
	p.click("#states a", "done")
	p.until(`document.querySelectorAll("#grid-rows tr").length === 1`)
	p.do(chromedp.Navigate(l.console + "/#/keys?missing=event2&q=order-99"))
	p.until(`document.querySelectorAll("#grid-rows tr").length === 11`)
	p.do(chromedp.Navigate(l.console + "/#/keys?sort=key&q=order-10"))
	p.until(`[...document.querySelectorAll("#grid-rows a")].slice(0, 3).map((a) => a.textContent).join() === "order-10,order-100,order-101"`)
	p.do(chromedp.Navigate(l.console + "/#/keys?sort=key&q=order-100")) // its row stays, and its link follows
	p.until(`document.querySelectorAll("#grid-rows tr").length === 1`)
	p.click("#grid-rows a", "order-100")
	p.until(`location.hash === "#/keys/order-100?q=order-100&sort=key" && document.getElementById("all-keys").hash === "#/keys?q=order-100&sort=key"`)
}

// TestOddKeys: each key has an address of its own, which can be linked to, and Back works.
func TestOddKeys(t *testing.T) {
	l, p := start(t, nil), browse(t)
	odd := []string{"a/b//c/../d", "with space", "100%41", "ö-日本-🙂", "?q=1&state=done#x", "..", strings.Repeat("long ", 60) + "!", "new\nline", "<b>x</b>"}
	for _, key := range odd {
		l.send(t, "event1", key, `{}`)
	}
	p.open(l, "")
	p.until(fmt.Sprintf(`document.querySelectorAll("#grid-rows tr").length === %d`, len(odd)))
	for _, key := range odd {
		quoted, _ := json.Marshal(key)
		p.open(l, "#/keys/"+strings.ReplaceAll(url.QueryEscape(key), "+", "%20"))
		p.until(fmt.Sprintf(`document.getElementById("key-name").textContent === %s && document.getElementById("key-why").textContent.includes("waits for event2, event3")`, quoted))
		p.do(chromedp.Navigate("about:blank"))
		p.open(l, "")
		js[bool](p, fmt.Sprintf(`([...document.querySelectorAll("#grid-rows a")].find((a) => a.textContent === %s).click(), true)`, quoted))
		p.until(fmt.Sprintf(`document.getElementById("key-name").textContent === %s && document.getElementById("key-why").textContent.includes("waits for")`, quoted))
		js[bool](p, `(history.back(), true)`)
		p.until(`document.getElementById("key").hidden && location.hash === ""`)
		p.until(fmt.Sprintf(`document.activeElement.textContent === %s`, quoted))
	}
}

// TestAddressesOfNothing: an address that names no view, and a filter that is no choice, show all keys.
func TestAddressesOfNothing(t *testing.T) {
	l, p := start(t, nil), browse(t)
	l.send(t, "event1", "order-1", `{}`)
	for _, address := range []string{"#/nothing", "#/constructor", "#/keys?sort=nothing", "#/keys?sort=constructor", "#/keys?state=nothing", "#/keys?missing=nothing"} {
		p.do(chromedp.Navigate("about:blank"))
		p.open(l, address)
		p.sees("#grid-rows tr", "order-1")
		p.sees("#states a[aria-current]", "all")
		p.until(`document.getElementById("sort").value === "old" && document.getElementById("missing").value === ""`)
	}
}

// TestFocusStays: a button that can't be used any more, or goes, does not take the focus with it.
func TestFocusStays(t *testing.T) {
	l, p := start(t, nil, "-instances", "2"), browse(t)
	press := func(button, until, then string) {
		t.Helper()
		js[bool](p, fmt.Sprintf(`(%s.focus(), true)`, element("button", button)))
		p.do(chromedp.KeyEvent(kb.Enter))
		p.until(until)
		if at := js[string](p, `["body", "main"].find((name) => document.activeElement === document.querySelector(name)) ?? document.activeElement.innerText`); at != then {
			t.Errorf("after %s the focus is on %q, want %q", button, at, then)
		}
	}
	p.open(l, "#/trouble")
	press("freeze", `document.getElementById("instances").textContent.includes("frozen")`, "freeze")
	p.do(chromedp.KeyEvent(kb.Enter)) // which does nothing
	p.do(chromedp.KeyEvent(kb.Tab))
	p.until(`document.activeElement.innerText === "thaw" && document.querySelector("#instances button[name=freeze]").disabled`)
	press("Slow the store down", `document.getElementById("troubles").children.length === 1`, "Slow the store down")
	press("Clear all troubles", `document.getElementById("troubles").children.length === 0`, "Clear all troubles")
	p.open(l, "#/publish")
	press("Hold back", `document.getElementById("holds").children.length === 1`, "Hold back events like this")
	press("Let go", `document.getElementById("holds").children.length === 0`, "main")
}

// TestKeyboard: everything can be reached and done by keys, the focus is seen, and updates leave it where it is.
func TestKeyboard(t *testing.T) {
	l, p := start(t, nil), browse(t)
	p.open(l, "")
	for i := range 5 {
		l.send(t, "event1", fmt.Sprintf("order-%d", i), `{}`)
	}
	p.until(`document.querySelectorAll("#grid-rows tr").length === 5`)
	focused := func(id string) { t.Helper(); p.until(fmt.Sprintf(`document.activeElement.id === %q`, id)) }
	press := func(keys string) { t.Helper(); p.do(chromedp.KeyEvent(keys)) }
	press(kb.Tab)
	focused("skip")
	press(kb.Enter)
	focused("main")
	press("/")
	focused("find")
	press("order-3")
	p.until(`document.querySelectorAll("#grid-rows tr").length === 1 && location.hash.includes("q=order-3")`)
	for range 7 {
		press(kb.Backspace)
	}
	p.until(`document.querySelectorAll("#grid-rows tr").length === 5`)
	walk := ""
	for range 12 { // on to the rows
		press(kb.Tab)
		if !js[bool](p, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1 })()`) {
			t.Errorf("the focus is not seen on %s", js[string](p, `document.activeElement.outerHTML.slice(0, 100)`))
		}
		if walk = js[string](p, `document.activeElement.closest("#grid-rows") ? document.activeElement.textContent : ""`); walk != "" {
			break
		}
	}
	if walk == "" {
		t.Fatal("Tab does not lead to the rows")
	}
	press(kb.ArrowDown)
	press(kb.ArrowDown)
	row := js[string](p, `document.activeElement.textContent`)
	if row == walk || !strings.HasPrefix(row, "order-") {
		t.Errorf("arrows lead from %q to %q", walk, row)
	}
	l.send(t, "event2", row, `{}`) // while its link has the focus
	l.send(t, "event3", row, `{}`)
	p.sees("#grid-rows .state", "done")
	if now := js[string](p, `document.activeElement.textContent`); now != row {
		t.Errorf("an update took the focus from %q to %q", row, now)
	}
	press(kb.Enter)
	focused("key-title")
	p.sees("#key-state", "done")
	for js[string](p, `document.activeElement.textContent`) != "Run again…" {
		press(kb.Tab)
	}
	press(kb.Enter)
	p.until(`document.getElementById("ask").open && document.getElementById("ask").contains(document.activeElement)`)
	press(kb.Escape)
	p.until(`!document.getElementById("ask").open && document.activeElement.textContent === "Run again…"`)
	press(kb.Enter)
	p.until(`document.activeElement.id === "ask-yes"`)
	press(kb.Enter)
	p.sees("#said", "It is open again")
	p.sees("#key-state", "not yet run")
}
