// Trouble: what goes wrong now, and what is to go wrong. And the sweep.
import { $, attribute, clock, doing, duration, enable, facts, h, reconcile, text } from "./dom.js";
import { act, known, on } from "./live.js";

const kinds = { fail: "the handler fails", panic: "the handler panics", hang: "the handler hangs", lose: "the store loses answers", slow: "the store is slow" };

// words says what a trouble is.
function words(t) {
  return [kinds[t.kind], t.key && `for ${t.key}`, t.operation && `when asked to ${t.operation}`, t.for && `for ${t.for / 1e9} s`, t.times > 0 && `${t.times} times more`].filter(Boolean).join(", ");
}

const can = { running: ["kill", "freeze"], frozen: ["thaw", "kill"], dead: ["start"], starting: [] };

function instance(tr, i) {
  const [, state, pid, buttons] = tr.children, one = known.lab.instances.length === 1 && !i.pid;
  text(state.firstChild, i.state);
  attribute(state.firstChild, "class", "state " + (i.state === "running" ? "done" : "bad"));
  text(pid, i.pid ? String(i.pid) : "this program");
  for (const b of buttons.firstChild.children) enable(b, !one && can[i.state].includes(b.name));
}

function render() {
  const { instances, troubles } = known.lab;
  const numbered = (troubles ?? []).map((t, i) => ({ i, words: words(t) }));
  reconcile($("troubles"), numbered, (t) => `${t.i} ${t.words}`, (t) => h("li", { class: "bad" }, t.words), () => {});
  $("no-troubles").hidden = numbered.length > 0;
  enable($("clear"), numbered.length > 0);
  reconcile($("instances"), instances, (i) => i.id, (i) => h("tr", null, h("td", null, i.id), h("td", null, h("span", { class: "state" })), h("td", null),
    h("td", null, h("div", { class: "actions" }, ...["kill", "freeze", "thaw", "start"].map((name) => h("button", { type: "button", name, "aria-label": `${name} instance ${i.id}`,
      onclick: doing(async () => (await act("instance", { id: i.id, do: name })).said) }, name))))), instance);
  $("one-instance").hidden = instances.length > 1;
}

function sums() {
  const rows = [...known.rows.values()].filter((r) => r.state !== "none"), count = (...states) => rows.filter((r) => states.includes(r.state)).length;
  facts($("sums"), [["keys", String(rows.length)], ["done", String(count("done"))], ["being processed", String(count("held", "expired", "complete"))],
    ["waiting for events", String(count("waiting"))], ["failed, with a letter", String(count("failed", "quarantined"))]]);
}

function nextSweep() {
  if (!known.lab) return;
  const { nextSweep } = known.lab;
  text($("next-sweep"), nextSweep ? `By the clock, the next one is at ${clock(nextSweep)}, in ${duration(Date.parse(nextSweep) - Date.now())}.`
    : "No clock has the function sweep here: set JOIN_DEADLINE for that. Sweeping by hand works.");
}

async function sweep() {
  enable($("sweep-now"), false);
  try {
    const { report } = await act("sweep", {});
    facts($("swept"), [["keys seen", String(report.seen)], ["expired", String(report.expired)], ["processed", String(report.processed)], ["failed", String(report.failed)],
      ["left alone", String(report.leftAlone)], ["at", clock(new Date())]]);
    $("not-swept").hidden = true;
    return `The sweep has seen ${report.seen} keys: ${report.expired} expired, ${report.processed} processed.`;
  } finally {
    enable($("sweep-now"), true);
  }
}

const number = (id) => Number($(id).value);

export function startTrouble() {
  on("about", () => $("store-operation").replaceChildren(h("option", { value: "" }, "do anything"), ...known.about.operations.map((o) => h("option", null, o))));
  on("lab", render);
  on("lab", nextSweep);
  on("rows", sums);
  setInterval(nextSweep, 1000);
  const make = (body) => doing(async () => (await act("trouble", body())).said);
  $("handler-form").addEventListener("submit", make(() => ({ kind: $("handler-kind").value, key: $("handler-key").value, times: number("handler-times"), seconds: number("handler-seconds") })));
  $("store-form").addEventListener("submit", make(() => ({ kind: "lose", operation: $("store-operation").value, times: number("store-times") })));
  $("slow-form").addEventListener("submit", make(() => ({ kind: "slow", seconds: number("slow-seconds") })));
  $("clear").addEventListener("click", doing(async () => (await act("clear", {})).said));
  $("sweep-now").addEventListener("click", doing(sweep));
}
