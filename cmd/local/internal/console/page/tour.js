// The tour: six steps, each with an order of its own, and what is to be seen of it.
import { $, attribute, doing, h, text } from "./dom.js";
import { act, get, known, on } from "./live.js";
import { keyURL } from "./app.js";
import { outcome, replaced } from "./letters.js";
import { last, publish } from "./publish.js";
import { runs } from "./story.js";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const all = () => known.about.sources.map((source) => ({ source }));
const processed = (page) => runs(page.story).filter((r) => r.how === "done").length;
const once = (page) => page.state === "done" && processed(page) === 1;

// until waits until a key's page passes a test.
async function until(key, passes) {
  for (;;) {
    const page = await get("key", { key });
    if (passes(page)) return page;
    if (refused(page)) throw new Error(advice);
    await pause(200);
  }
}

// refused says whether the business does not take the order: it is dead-lettered, or fails more often than a step has it fail.
const refused = (page) => page.letters?.length > 0 || runs(page.story).filter((r) => r.how === "failed").length > 2;
const advice = "Your handler does not take this order. Publish each event as it takes them, and do this step again: it publishes the last contents.";

const killable = () => known.lab?.instances.length > 1;

// Each step has a title, what it does, and a check of the key's page: the sentence is shown when it
// is true.
const steps = [
  { title: "An event waits for the others", does: "One event of the order is published. It is kept, acknowledged, and the order waits.", button: "Publish one event",
    run: (key) => publish(key, all().slice(0, 1)), check: (p) => p.state === "waiting" && `It waits for ${p.waitsFor}.`, waits: true },
  { title: "The others come in any order", does: "All events are published at once. They reach the function in any order; whichever completes the join runs the handler.", button: "Publish the whole order",
    run: (key) => publish(key, all()), check: (p) => once(p) && "It was processed once." },
  { title: "Duplicates do nothing", does: "The order is published and processed; then each event is delivered once more.", button: "Publish, and deliver all again",
    run: async (key) => {
      const ids = await publish(key, all());
      await until(key, once);
      for (const id of ids) await act("duplicate", { id });
    },
    check: (p) => once(p) && p.story.filter((r) => r.kind === "answered").length >= 2 * known.about.sources.length && "The duplicates were acknowledged, and it was processed once." },
  { title: "The handler fails, and is tried again", does: "The handler fails twice for this order. The event is not acknowledged, so it is delivered again.", button: "Let it fail twice",
    run: async (key) => {
      await act("trouble", { kind: "fail", key, times: 2 });
      await publish(key, all());
    },
    check: (p) => once(p) && runs(p.story).filter((r) => r.how === "failed").length === 2 && "It failed twice, then it was processed once." },
  { title: "It breaks in the middle", button: "Break it",
    does: () => killable() ? "The instance that processes the order is killed in the middle of it. Its lease must run out; then another instance takes over with a greater token. That takes some 20 seconds."
      : "The store completes the order, and its answer is lost. Nobody may process it again. With -instances 3, an instance is killed in the middle instead.",
    run: async (key) => {
      if (!killable()) {
        await act("trouble", { kind: "lose", operation: "complete a key", times: 1 });
        return publish(key, all());
      }
      await act("trouble", { kind: "hang", key, times: 1, seconds: 60 });
      await publish(key, all());
      const page = await until(key, (p) => runs(p.story).length > 0);
      return act("instance", { id: runs(page.story)[0].instance, do: "kill" });
    },
    check: (p) => once(p) && (killable() ? runs(p.story).some((r) => r.how === "killed") && "Another instance took over, and it was processed once." : "It was processed once.") },
  { title: "A wrong event becomes a letter, and is replaced", does: "One event is no JSON. No retry can help it, so it is dead-lettered. Fix it and send it again: the order goes on.", button: "Publish a wrong event",
    run: async (key) => {
      const [first, ...rest] = all();
      await act("publish", { events: [{ source: first.source, key, content: "{wrong", attributes: { "content-type": "application/json" } }] });
      await publish(key, rest);
    },
    more: { button: "Fix it, and send it again", can: (p) => p.letters?.length > 0, run: async (key, page) => {
      const letter = await get("letter", { ref: page.letters[0].ref });
      const answer = await act("resend", { ref: letter.ref, letter: replaced(letter, (await last(all()[1]?.source)).text, { key, "content-type": "application/json" }) });
      return outcome(answer);
    } },
    check: (p) => once(p) && !p.letters?.length ? "The letter was replaced and sent, and the order was processed once." : p.letters?.length ? `It is dead-lettered as ${p.letters[0].reason}. Now fix it.` : false,
    ends: (p) => once(p) && !p.letters?.length },
];

const begun = Date.now().toString(36);

function make(step, i) {
  step.key = "";
  step.page = null;
  step.status = h("p", { class: "check", role: "status" });
  step.link = h("a", { hidden: true }, "Look at it");
  const go = h("button", { type: "button", class: "go", "aria-label": `Step ${i + 1}: ${step.button}`, onclick: doing(async () => {
    step.key = `tour-${i + 1}-${begun}-${(step.tries = (step.tries ?? 0) + 1)}`;
    step.page = null;
    attribute(step.link, "href", keyURL(step.key));
    text(step.link, "Look at " + step.key);
    step.link.hidden = false;
    text(step.status, "Under way…");
    attribute(step.status, "class", "check");
    await step.run(step.key);
    refresh(step);
  }) }, step.button);
  step.next = step.more && h("button", { type: "button", hidden: true, onclick: doing(async () => {
    const said = await step.more.run(step.key, step.page);
    refresh(step);
    return said;
  }) }, step.more.button);
  return h("li", null, h("h2", null, step.title), h("p", null, typeof step.does === "function" ? step.does() : step.does),
    h("div", { class: "actions" }, go, step.next ?? "", step.link), step.status);
}

async function refresh(step) {
  const page = await get("key", { key: step.key }).catch(() => null);
  if (!page) return;
  step.page = page;
  const seen = step.check(page), ok = step.ends ? step.ends(page) : !!seen;
  text(step.status, (ok ? "✓ " : "") + (seen || (refused(page) ? advice : "Under way…")));
  attribute(step.status, "class", "check" + (ok ? " ok" : ""));
  step.ok = ok;
  if (step.next) step.next.hidden = !step.more.can(page);
  sum();
}

function sum() {
  const asked = steps.filter((s) => s.key && s.page), whole = asked.filter((s) => !s.waits);
  if (asked.filter((s) => s.ok).length < steps.length) return text($("tour-sum"), "");
  const times = whole.map((s) => processed(s.page));
  text($("tour-sum"), `${whole.length} whole orders: ${times.filter((n) => n === 1).length} processed once, ${times.filter((n) => n === 0).length} lost, `
    + `${times.filter((n) => n > 1).length} doubled; 1 waits for its other events.`);
}

export function startTour() {
  on("lab", () => {
    if (!$("tour").firstChild && known.about) $("tour").append(...steps.map(make));
  });
  on("rows", (keys) => steps.filter((s) => s.key && (!keys || keys.has(s.key))).forEach(refresh));
}
