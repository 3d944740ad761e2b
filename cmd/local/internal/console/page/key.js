// A key: how it stands, its story, what is kept of it, and what can be done to it.
import { $, ask, attribute, clock, doing, enable, facts, h, pretty, reconcile, text, time } from "./dom.js";
import { act, get, on } from "./live.js";
import { stateText } from "./grid.js";
import { letterURL } from "./letters.js";
import { tell } from "./story.js";

let open = null; // the key
let asked = 0;

export function showKey(key) {
  $("key").hidden = key === null;
  if (key === open) return;
  open = key;
  if (key === null) return;
  text($("key-name"), key);
  text($("key-state"), "");
  text($("key-why"), "");
  $("key").classList.add("unread");
  load();
}

// load asks for the key and shows it, unless another was opened meanwhile.
async function load() {
  const mine = ++asked, key = open;
  try {
    const page = await get("key", { key });
    if (mine === asked && key === open) render(page);
  } catch (e) {
    if (mine === asked && key === open) text($("key-why"), "It can't be looked at: " + e.message);
  }
}

function render(page) {
  $("key").classList.remove("unread");
  text($("key-state"), stateText(page));
  attribute($("key-state"), "class", "state " + page.state);
  text($("key-why"), page.next);
  const problems = [...(page.problems ?? []), ...(page.unread ? ["The contents can't be read: " + page.unread] : [])];
  reconcile($("key-problems"), problems, (p) => p, (p) => h("li", null, p), () => {});
  const c = page.claim;
  facts($("key-facts"), [["waits for", page.waitsFor], ["token", c && String(c.token)], ["owner", c?.owner],
    ["took over", c?.takeover && "from a holder that vanished"], ["lease", c?.expires && !c.done && "until " + clock(c.expires)],
    ["marked", c?.mark], ["completed", c?.done && `${c.outcome} at ${clock(c.done)}`], ["joined of", page.decided?.join(", ")]]);
  buttons(page);
  tell(page);
  contents(page);
  $("joined").hidden = !page.joined;
  $("no-joined").hidden = !!page.joined;
  text($("joined"), page.joined ? pretty(page.joined) : "");
  reconcile($("key-letters"), page.letters ?? [], (l) => l.ref, letterItem, () => {});
  $("no-key-letters").hidden = !!page.letters?.length;
  const names = [...new Set(page.story.filter((r) => r.kind === "store" && r.key === page.key && kept(page, r)).map((r) => r.attributes.object))].sort();
  reconcile($("object-names"), names, (n) => n, (n) => h("li", null, n), () => {});
  text($("objects"), JSON.stringify(page.objects, null, 2));
}

// kept says whether there is the object that a request to the store was about.
function kept(page, { source, attributes: { object } }) {
  if (source) return page.sources?.some((s) => s.name === source && (s.arrived || s.sealed));
  return object.endsWith("/done") ? page.claim?.done : page.claim;
}

function letterItem(l) {
  return h("li", null, h("a", { href: letterURL(l.ref) }, l.source ?? "", l.source ? ", " : "", l.reason), " ", l.added ? time(l.added) : "");
}

function contents(page) {
  const sources = page.sources ?? [], byName = Object.fromEntries((page.contents ?? []).map((c) => [c.source, c]));
  const items = sources.map((s) => ({ ...s, content: byName[s.name] }));
  reconcile($("contents"), items, (s) => s.name, (s) => h("details", null,
    h("summary", null, h("b", null, s.name), " ", h("span", { class: "dim" })), h("dl", { class: "facts" }),
    h("pre", { tabindex: "0", "aria-label": "Content of " + s.name }), h("div", { class: "actions" })), (e, s) => {
    const [summary, list, pre, again] = e.children;
    text(summary.lastChild, s.arrived ? `kept at ${clock(s.kept)}, ${s.size} bytes` + (s.unjoined ? ", not joined" : "") : s.sealed ? "is awaited no more" : "missing");
    facts(list, [["event", s.id || s.content?.id], ["its time", s.content?.time && clock(s.content.time, true)], ["media type", s.content?.mediaType],
      ...Object.entries(s.content?.attributes ?? {}).sort(), ...(s.corrections ?? []).map((c) => ["replaced", `at ${clock(c.when)} by ${c.by}: ${c.why}`])]);
    if (!again.replace) again.prepend(again.replace = h("button", { type: "button", onclick: doing(() => replace(s.name)) }, `Replace ${s.name}…`));
    again.replace.hidden = !s.arrived || !s.content;
    enable(again.replace, page.state !== "done");
    pre.hidden = list.hidden = !s.arrived;
    reconcile(again, page.published.filter((p) => p.topic === s.name && !p.heldBack).slice(0, 1), (p) => p.id, (p) => h("button",
      { type: "button", onclick: doing(async () => (await act("duplicate", { id: p.id })).said) }, `Deliver ${s.name} again`), () => {});
    text(pre, s.content ? (s.content.size === 0 ? "(empty)" : pretty(s.content) + (s.content.size > 65536 ? "\n…" : "")) : "");
  });
}

// replace asks for a corrected event, and why.
async function replace(source) {
  const key = open, was = $("contents").byKey.get(source).item.content;
  const given = await ask({ title: `Replace ${source} of ${key}`, text: "The corrected event is kept in its place, and what was there as its history. It takes some 10 seconds.", yes: "Replace",
    fields: [{ name: "content", label: "Content", type: "area", value: was.base64 ? "" : was.text }, { name: "why", label: "Why", type: "text", required: true }] });
  if (!given) return "";
  try {
    return (await act("replace", { key, source, ...given })).said;
  } finally {
    load();
  }
}

const actions = [
  { name: "release", label: "Release…", can: (p) => ["failed", "paused", "quarantined", "expired", "held"].includes(p.state), yes: "Release",
    text: "The next delivery of one of its events runs it, though its last run may have acted." },
  { name: "complete", label: "Complete…", can: (p) => !["done", "none"].includes(p.state), yes: "Complete",
    text: "It counts as done, and no delivery runs it any more." },
  { name: "rerun", label: "Run again…", can: (p) => p.state === "done", yes: "Open it again",
    text: "It is opened again, and the next delivery runs it: what its last run did is done once more, with a greater token." },
  { name: "purge", label: "Purge…", can: (p) => p.state !== "none" || p.letters?.length > 0, yes: "Delete all of it",
    text: "Everything that is kept of it is deleted: events, claims, letters. It takes some 10 seconds." },
];

function buttons(page) {
  const group = $("key-actions");
  if (!group.firstChild) group.append(...actions.map((a) => h("button", { type: "button", onclick: doing(() => change(a)) }, a.label)));
  actions.forEach((a, i) => { enable(group.children[i], a.can(page)); });
  group.page = page;
}

async function change(a) {
  const key = open, { state } = $("key-actions").page;
  const fields = state === "held" ? [{ name: "force", type: "checkbox", label: "take it from the run that is under way, which may have acted or may still act" }] : [];
  const given = await ask({ title: `${a.label.replace("…", "")}: ${key}`, text: a.text, yes: a.yes, fields });
  if (!given) return "";
  try {
    return (await act(a.name, { key, ...given })).said;
  } finally {
    load();
  }
}

export function startKey() {
  let due = 0;
  on("rows", (keys) => {
    if (open === null || keys && !keys.has(open)) return;
    clearTimeout(due);
    due = setTimeout(load, 50);
  });
}
