package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// set types into a field.
func (p page) set(id, value string) {
	p.Helper()
	js[bool](p, fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.value = %q;
		e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); return true })()`, id, value))
}

// TestPublishView: an event with the last content, a duplicate, one that is held back, a whole order.
func TestPublishView(t *testing.T) {
	l, p := start(t, nil), browse(t)
	p.open(l, "#/publish")
	p.set("publish-key", "order-1")
	p.set("publish-source", "event2")
	p.until(`document.getElementById("publish-content").value.includes("event2")`)
	p.set("publish-content", `{"item":"lamp"}`)
	p.set("publish-attributes", "colour=red")
	p.click("#publish-form button", "Publish")
	p.sees("#published tr", "order-1")
	p.click("#published button", "Deliver again")
	p.sees("#said", "delivered again")
	p.click("#publish-form button", "Hold back")
	p.sees("#holds li", "event2, order-1")
	p.click("#publish-form button", "Publish")
	p.sees("#published button", "held back")
	p.click("#holds button", "Let go")
	p.sees("#no-holds", "Nothing is held back")
	p.set("publish-key", "order-2")
	p.click("#order-form button", "Publish the whole order")
	p.sees("#said", "order-2")
	p.click("#published a", "order-2")
	p.sees("#key-state", "done")
	p.sees("#joined", `"item": "lamp"`)
	p.open(l, "#/keys/order-1")
	p.sees("#story li", "event2 (event 1) is published again")
	p.sees("#contents details", "event2")
	js[bool](p, `(document.querySelectorAll("#contents details").forEach((d) => { d.open = true }), true)`)
	p.sees("#contents dd", "red")
	p.click("#contents button", "Deliver event2 again")
	p.sees("#said", "delivered again")
}

// TestTroubleView: a handler that fails, a lost answer, a slow store, and instances that are killed and frozen.
func TestTroubleView(t *testing.T) {
	l, p := start(t, nil, "-instances", "2"), browse(t)
	p.open(l, "#/trouble")
	p.set("handler-key", "order-1")
	p.set("handler-times", "2")
	p.click("#handler-form button", "Make handler trouble")
	p.sees("#troubles li", "the handler fails, for order-1, 2 times more")
	p.set("store-operation", "complete a key")
	p.click("#store-form button", "Lose answers")
	p.sees("#troubles li", "the store loses answers, when asked to complete a key")
	p.set("slow-seconds", "0.1")
	p.click("#slow-form button", "Slow the store down")
	p.sees("#troubles li", "the store is slow, for 0.1 s")
	for _, source := range []string{"event1", "event2", "event3"} {
		l.send(t, source, "order-1", "{}")
	}
	p.do(chromedp.Navigate(l.console + "/#/keys/order-1"))
	p.sees("#key-state", "done")
	p.until(`document.querySelectorAll("#lanes b.bad").length === 2 && document.querySelectorAll("#lanes b.ok").length === 1`)
	p.sees("#story .bad", "the store did it, its answer is lost")
	p.do(chromedp.Navigate(l.console + "/#/trouble"))
	p.click("#clear", "Clear")
	p.sees("#no-troubles", "There are none")
	p.click("#instances button[aria-label='freeze instance 1']", "freeze")
	p.sees("#instances tr", "frozen")
	p.click("#instances button[aria-label='thaw instance 1']", "thaw")
	p.until(`!document.getElementById("instances").textContent.includes("frozen")`)
	p.click("#instances button[aria-label='kill instance 2']", "kill")
	p.sees("#said", "Instance 2: kill")
	p.until(`[...document.querySelectorAll("#instances .state")].every((e) => e.textContent === "running")`)
}

// TestLettersView: a letter is read, replaced, and sent again, and another is dropped.
func TestLettersView(t *testing.T) {
	l, p := start(t, []string{"KEY_POINTER="}), browse(t)
	p.open(l, "#/letters")
	l.send(t, "event2", "", `{"no":"key"}`)
	p.sees("#letter-rows tr", "no-key")
	p.sees("#letter-count", "1")
	p.click("#letter-rows a", "1")
	p.until(`document.getElementById("letter-body").value.includes('"no":"key"')`)
	p.set("letter-attributes", "key=order-7")
	p.set("letter-body", `{"now":"it has"}`)
	p.click("#letter-form button", "Send again")
	p.sees("#said", "the letter is kept")
	p.open(l, "#/keys/order-7")
	p.sees("#key-state", "waiting")
	js[bool](p, `(document.querySelectorAll("#contents details").forEach((d) => { d.open = true }), true)`)
	p.sees("#contents pre", `"now": "it has"`)
	p.open(l, "#/letters")
	p.click("#letter-rows a", "1")
	p.click("#letter-form button", "Drop")
	p.click("#ask button", "Drop")
	p.sees("#no-letters", "There are no dead letters")
}

// TestUnreadable: what can't be read shows why, and nothing of what was shown before.
func TestUnreadable(t *testing.T) {
	l, p := start(t, nil), browse(t)
	l.send(t, "event2", "", `{"no":"key"}`)
	l.send(t, "event2", "order-1", `{}`)
	p.open(l, "#/letters")
	p.click("#letter-rows a", "1")
	p.sees("#letter-form button", "Send again")
	p.do(chromedp.Navigate(l.console + "/#/letters/gone"))
	p.sees("#letter-error", "It can't be read")
	p.sees("#letter-title", "Letter")
	p.do(chromedp.Navigate(l.console + "/#/keys/order-1"))
	p.sees("#contents summary", "event2")
	js[bool](p, `(window.fetch = () => Promise.reject(), true)`)
	p.do(chromedp.Navigate(l.console + "/#/keys/order-2"))
	p.sees("#key-why", "It can't be looked at")
	for _, view := range []string{"letter", "key"} {
		if n := js[int](p, fmt.Sprintf(`[...document.querySelectorAll("#%s :is(button, dd, li, pre, textarea)")].filter((e) => getComputedStyle(e).visibility !== "hidden").length`, view)); n > 0 {
			t.Errorf("%d elements of what was shown before are still seen in %s", n, view)
		}
	}
}

// TestReplaceAndPurge: an event is corrected with a reason, and then the key is deleted.
func TestReplaceAndPurge(t *testing.T) {
	l, p := start(t, nil), browse(t)
	l.send(t, "event2", "order-1", `{"item":"bok"}`)
	p.open(l, "#/keys/order-1")
	p.sees("#contents details", "event2")
	js[bool](p, `(document.querySelectorAll("#contents details").forEach((d) => { d.open = true }), true)`)
	p.click("#contents button", "Replace event2")
	p.sees("#ask-title", "Replace event2 of order-1")
	js[bool](p, `(() => { const [content, why] = document.querySelectorAll("#ask-fields textarea, #ask-fields input"); content.value = '{"item":"book"}'; why.value = "misspelled"; return true })()`)
	p.click("#ask-yes", "Replace")
	p.sees("#contents pre", `"item": "book"`)
	p.sees("#contents dd", "by console: misspelled")
	p.sees("#said", "The event is replaced") // until then the key is held
	p.click("#key-actions button", "Purge")
	p.click("#ask-yes", "Delete all of it")
	p.sees("#key-state", "nothing is kept")
	p.sees("#no-keys", "There are no keys yet")
}

// TestSweepView: a sweep by hand, and the time of the next one by the clock. It ends a join, and seals what is missing.
func TestSweepView(t *testing.T) {
	l, p := start(t, []string{"JOIN_DEADLINE=2s"}), browse(t)
	l.send(t, "event2", "order-1", "{}")
	p.open(l, "#/sweep")
	p.sees("#next-sweep", "the next one is at")
	p.until(`fetch("/api/key?key=order-1").then((r) => r.json()).then((k) => Date.now() - Date.parse(k.sources[1].kept) > 2500)`)
	p.click("#sweep-now", "Sweep now")
	p.sees("#said", "has seen 1 keys")
	p.sees("#swept dd", "1")
	p.do(chromedp.Navigate(l.console + "/#/keys/order-1"))
	p.sees("#key-state", "done · expired · letter")
	p.until(`[...document.querySelectorAll("#object-names li")].map((e) => e.innerText.split("/order-1/")[1]).join() === "claim,done,events/event1,events/event2,events/event3"`)
}

// TestTour: all six steps, and the sum against the store's contents.
func TestTour(t *testing.T) {
	l, p := start(t, nil, "-instances", "3"), browse(t)
	p.open(l, "#/tour")
	p.until(`document.querySelectorAll("#tour > li").length === 6`)
	for i := 1; i <= 6; i++ {
		step := fmt.Sprintf("#tour > li:nth-child(%d)", i)
		js[bool](p, fmt.Sprintf(`(document.querySelector("%s .go").click(), true)`, step))
		if i == 6 {
			p.click(step+" button", "Fix it, and send it again")
		}
		p.wait(fmt.Sprintf(`document.querySelector("%s .check").classList.contains("ok")`, step))
		t.Log(p.text(step + " .check"))
	}
	p.sees("#tour-sum", "5 whole orders: 5 processed once, 0 lost, 0 doubled; 1 waits for its other events.")
	p.do(chromedp.Navigate(l.console + "/#/keys"))
	p.until(`[...document.querySelectorAll("#grid-rows .state")].filter((e) => e.textContent === "done").length === 5`)
	p.until(`document.querySelectorAll("#grid-rows tr").length === 6`)
}

// TestTourOfAHandlerThatRefuses: where the business takes no order, the tour says so, and goes on when it does.
func TestTourOfAHandlerThatRefuses(t *testing.T) {
	l, p := start(t, []string{"MAX_ATTEMPTS=1"}), browse(t)
	p.open(l, "#/trouble")
	p.set("handler-times", "0")
	p.click("#handler-form button", "Make handler trouble")
	p.sees("#troubles li", "the handler fails")
	p.do(chromedp.Navigate(l.console + "/#/tour"))
	for _, step := range []string{"Publish the whole order", "Publish, and deliver all again"} {
		p.click("#tour button", step)
		p.sees("#tour li:has(button[aria-label*='"+step+"']) .check", "Your handler does not take this order")
	}
	p.sees("#said", "That failed: Your handler does not take this order")
	p.do(chromedp.Navigate(l.console + "/#/trouble"))
	p.click("#clear", "Clear")
	p.sees("#no-troubles", "There are none")
	p.do(chromedp.Navigate(l.console + "/#/tour"))
	p.click("#tour button", "Publish the whole order")
	p.sees("#tour .check.ok", "It was processed once")
}

// TestHostileContents: what comes from outside is text, wherever it is shown.
func TestHostileContents(t *testing.T) {
	l, p := start(t, nil), browse(t)
	const evil = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`
	for _, source := range []string{"event1", "event2", "event3"} {
		l.send(t, source, evil, `{"x":"`+strings.ReplaceAll(evil, `"`, `\"`)+`"}`)
	}
	p.open(l, "#/publish")
	p.set("publish-key", evil)
	p.set("publish-content", evil)
	p.set("publish-attributes", evil+"="+evil)
	p.click("#publish-form button", "Publish")
	l.send(t, "event2", "", evil)
	for _, view := range []string{"keys", "publish", "trouble", "letters", "sweep", "tour"} {
		p.open(l, "#/"+view)
	}
	p.open(l, "#/letters")
	p.click("#letter-rows a", "")
	p.until(`document.getElementById("letter-body").value.includes("hacked")`)
	p.open(l, "")
	p.click("#grid-rows a", "hacked")
	p.sees("#key-state", "done")
	js[bool](p, `(document.querySelectorAll("details").forEach((d) => { d.open = true }), true)`)
	p.sees("#joined", "hacked")
	p.click("#key-actions button", "Run again")
	p.sees("#ask-title", "hacked")
	if js[bool](p, `window.hacked !== undefined || document.querySelector("main img, main script") !== null`) {
		t.Error("a content became part of the page")
	}
	if !js[bool](p, `(() => { const s = document.createElement("script"); s.textContent = "window.inline = 1"; document.body.append(s); return window.inline === undefined })()`) {
		t.Error("the policy lets an inline script run")
	}
}

// TestReconnect: the page finds a server that was started again, and shows what that has.
func TestReconnect(t *testing.T) {
	l, p := start(t, nil), browse(t)
	l.send(t, "event1", "before", "{}")
	p.open(l, "")
	p.sees("#grid-rows tr", "before")
	p.sees("#link", "live")
	l.stop()
	p.sees("#link", "connecting")
	again := start(t, nil, "-console-addr", strings.TrimPrefix(l.console, "http://"))
	again.send(t, "event1", "after", "{}")
	p.sees("#link", "live")
	p.sees("#grid-rows tr", "after")
	p.until(`document.querySelectorAll("#grid-rows tr").length === 1`)
}

// TestOtherOrigins: a page of another origin reads nothing and changes nothing.
func TestOtherOrigins(t *testing.T) {
	l, p := start(t, nil), browse(t)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<p>another page")) }))
	defer other.Close()
	p.do(chromedp.Navigate(other.URL))
	body := `JSON.stringify({events: [{source: "event1", key: "evil", content: "{}"}]})`
	for _, attempt := range []string{
		fmt.Sprintf(`fetch("%s/api/publish", {method: "POST", body: %s})`, l.console, body),
		fmt.Sprintf(`fetch("%s/api/publish", {method: "POST", mode: "no-cors", body: %s})`, l.console, body),
		fmt.Sprintf(`fetch("%s/api/publish", {method: "POST", headers: {"Content-Type": "application/json"}, body: %s})`, l.console, body),
		fmt.Sprintf(`fetch("%s/api/key?key=x")`, l.console),
	} {
		got := js[string](p, attempt+`.then((r) => r.type + " " + r.status, (e) => "refused")`)
		if got != "refused" && got != "opaque 0" {
			t.Errorf("%s: %s", attempt, got)
		}
	}
	p.open(l, "")
	p.sees("#no-keys", "There are no keys yet")
}
