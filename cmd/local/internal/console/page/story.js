// The story of a key: what happened to it at which instance, as lanes and as a list.
import { $, attribute, clock, h, reconcile, text, time } from "./dom.js";

const statuses = { 200: "done", 204: "done", 304: "unchanged", 404: "it is not there", 409: "somebody else was first", 412: "somebody else was first" };

// words says what a record tells.
export function words(r) {
  const a = r.attributes ?? {}, event = r.source ? `${r.source}${r.event ? ` (event ${r.event})` : ""}` : r.event ? `event ${r.event}` : "";
  switch (r.kind) {
    case "published": case "held back": case "delivered": return `${event} is ${r.message}`;
    case "answered": return `${event} is acknowledged` + (a.status === 202 ? ": it is kept, others are missing" : a.status === 200 ? ": it is dead-lettered" : "");
    case "redelivered": return `${event} is not acknowledged, and delivered again after ${a.after}: ${a.answer ?? ""}`;
    case "store": return `asks the store to ${r.message}${r.source ? ", " + r.source : ""}: ${statuses[a.status] ?? a.status}`;
    case "run": return `${r.message}, token ${a.token}` + (a.takeover ? "; it takes over from a holder that vanished" : "") + (a.error ? ": " + a.error : "");
    default: return r.message + (event && r.kind === "log" ? `: ${event}` : "") + (a.error ? ": " + a.error : "");
  }
}

// tone is how a record is shown.
export function tone(r) {
  if (r.kind === "store") return r.severity === "WARNING" ? "bad" : "store";
  if (r.kind === "redelivered" || r.kind === "trouble" || r.severity === "ERROR" || r.severity === "WARNING") return "bad";
  if (r.kind === "held back") return "held";
  if (r.kind === "run") return r.message.includes("fails") ? "bad" : r.message.includes("succeeds") ? "ok" : "";
  return "";
}

// where is the lane of a record.
const where = (r) => r.kind === "published" || r.kind === "held back" || r.kind === "trouble" || !r.instance ? "events" : "instance " + r.instance;

export function tell(page) {
  $("with-store").onchange = () => tell(page);
  const all = page.story.filter((r) => $("with-store").checked || tone(r) !== "store");
  reconcile($("story"), all, (r) => r.seq, (r) => h("li", { class: tone(r) }, time(r.time, true), h("span", { class: "dim" }, where(r)), h("span", null, words(r))), () => {});
  $("no-story").hidden = all.length > 0;
  lanes(all);
}

// runs pairs the beginnings of runs with their ends; one that an instance did not live to end has none.
export function runs(story) {
  const all = [];
  for (const r of story) {
    if (r.kind === "run" && r.message.includes("begins")) all.push({ instance: r.instance, token: r.attributes?.token, from: Date.parse(r.time), how: "runs" });
    const open = all.findLast((o) => o.instance === r.instance && !o.to);
    if (!open || r === undefined) continue;
    if (r.kind === "run" && r.attributes?.token === open.token && !r.message.includes("begins")) end(open, r, r.message.includes("fails") ? "failed" : "done");
    if (r.kind === "instance" && /killed|ended/.test(r.message)) end(open, r, "killed");
  }
  return all;
}

function end(run, r, how) {
  run.to = Date.parse(r.time);
  run.how = how;
}

function lanes(story) {
  const names = [...new Set(["events", ...story.map(where).sort()])], ran = runs(story);
  const times = story.map((r) => Date.parse(r.time)), first = Math.min(...times);
  const last = Math.max(...times, ...(ran.some((r) => !r.to) ? [Date.now()] : [])), span = Math.max(last - first, 1);
  const at = (t) => `${(100 * (t - first)) / span}%`;
  const place = (e, t, until) => {
    e.style.left = at(t);
    if (until !== undefined) e.style.width = `${(100 * (until - t)) / span}%`;
    return e;
  };
  const drawn = story.length === 0 ? [] : names.map((name) => h("div", { class: "lane" }, h("span", null, name), h("div", null,
    ...ran.filter((r) => "instance " + r.instance === name).map((r) => place(h("b", { class: { done: "ok", runs: "" }[r.how] ?? "bad", title: `token ${r.token}` }, r.how), r.from, r.to ?? last)),
    ...story.filter((r) => where(r) === name && r.kind !== "run").map((r) => place(h("i", { class: tone(r), title: words(r) }), Date.parse(r.time))))));
  $("lanes").replaceChildren(...drawn, ...(drawn.length ? [h("div", { class: "axis" }, h("span", null, clock(new Date(first))), h("span", null, clock(new Date(last))))] : []));
}
