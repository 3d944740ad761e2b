// The grid of keys: a row for each, changed only where it changes.
import { $, attribute, clock, duration, h, reconcile, text } from "./dom.js";
import { known, on } from "./live.js";
import { keyURL } from "./app.js";

const states = ["waiting", "complete", "held", "expired", "paused", "quarantined", "failed", "done"];
const labels = { "": "all", complete: "not yet run", letter: "letter" };

let filter = { state: "", missing: "", q: "", sort: "old" };
let selected = null;
let linked = ""; // the query that the rows' links have

// showGrid shows the keys that a URL's query asks for, and which of them is open. What is no choice of
// the page's is left out.
export function showGrid(query, key) {
  const one = (name, known) => known.includes(query.get(name)) ? query.get(name) : "";
  filter = { state: one("state", [...states, "letter"]), missing: query.get("missing") ?? "", q: query.get("q") ?? "", sort: one("sort", Object.keys(orders)) || "old" };
  selected = key;
  if ($("find").value !== filter.q) $("find").value = filter.q;
  $("sort").value = filter.sort;
  render();
}

// query is that of the URL of this filter, with some of it changed.
export function query(changes) {
  const entries = Object.entries({ ...filter, ...changes }).filter(([name, value]) => value !== "" && !(name === "sort" && value === "old"));
  return entries.length ? "?" + new URLSearchParams(entries) : "";
}

const has = (row, state) => state === "" || (state === "letter" ? row.letters > 0 : row.state === state);

function passes(row) {
  return has(row, filter.state) && (filter.q === "" || row.key.toLowerCase().includes(filter.q.toLowerCase()))
    && (filter.missing === "" || row.sources?.some((s) => s.name === filter.missing && !s.arrived));
}

const since = (row) => row.since ??= Math.min(...(row.sources ?? []).filter((s) => s.kept).map((s) => Date.parse(s.kept)), Infinity);

const orders = {
  old: (a, b) => since(a) - since(b) || 0,
  new: (a, b) => (since(b) === Infinity ? -1 : since(a) === Infinity ? 1 : since(b) - since(a)) || 0,
  key: () => 0,
};

const byKey = new Intl.Collator("en", { numeric: true }).compare;

function render() {
  if (!known.about) return;
  if (!known.about.sources.includes(filter.missing)) filter.missing = "";
  $("missing").value = filter.missing;
  const rows = [...known.rows.values()].filter(passes), now = query({});
  rows.sort((a, b) => orders[filter.sort](a, b) || byKey(a.key, b.key));
  reconcile($("grid-rows"), rows, (r) => r.key, make, update);
  if (now !== linked) link(now);
  for (const tr of $("grid-rows").querySelectorAll("[aria-current]")) if (tr.item.key !== selected) tr.removeAttribute("aria-current");
  const current = $("grid-rows").byKey.get(selected);
  if (current) attribute(current, "aria-current", "true");
  for (const e of $("states").children) count(e);
  $("no-keys").hidden = rows.length > 0;
  text($("no-keys"), !known.looked ? "Looking at the store…" : known.rows.size ? "No key passes the filter." : "There are no keys yet: publish an event.");
  text($("shown"), known.looked ? `${rows.length.toLocaleString("en")} of ${known.rows.size.toLocaleString("en")} keys` : "");
}

// link has the links to keys, and the one back, keep the filter.
function link(now) {
  linked = now;
  attribute($("all-keys"), "href", "#/keys" + now);
  for (const tr of $("grid-rows").children) attribute(tr.querySelector("a"), "href", keyURL(tr.item.key));
}

function make(row) {
  const link = h("a", { href: keyURL(row.key) }, h("bdi", null, row.key));
  const cells = known.about.sources.map((name) => h("td", { role: "cell" }, h("span", { class: "at no" }, "missing")));
  return h("tr", { role: "row" }, h("td", { role: "cell" }, link), ...cells,
    h("td", { role: "cell" }, h("span", { class: "state" })), h("td", { role: "cell" }));
}

function update(tr, row) {
  const cells = tr.children;
  known.about.sources.forEach((name, i) => source(cells[i + 1].firstChild, row.sources?.find((s) => s.name === name)));
  const badge = cells[cells.length - 2].firstChild;
  text(badge, stateText(row));
  attribute(badge, "class", "state " + row.state + (row.letters ? " letter" : ""));
  age(tr, row);
}

function source(e, s) {
  attribute(e, "class", s?.arrived ? "at in" : "at no");
  attribute(e, "title", s?.kept);
  text(e, s?.arrived ? clock(s.kept) : s?.sealed ? "too late" : "missing");
}

// stateText is the state of a row, or of a key's page, in a word or two.
export function stateText(row) {
  const letters = row.letters?.length ?? row.letters ?? 0, outcome = row.claim?.outcome;
  const words = [row.state === "none" ? "" : labels[row.state] ?? row.state, outcome && outcome !== "processed" ? outcome : "",
    letters ? (letters === 1 ? "letter" : letters + " letters") : ""];
  return words.filter(Boolean).join(" · ") || "nothing is kept";
}

// age is how long a key has been waiting, or how long it took until it was done.
function age(tr, row) {
  const began = since(row);
  const end = row.claim?.done ? Date.parse(row.claim.done) : Date.now();
  text(tr.lastChild, began === Infinity ? "" : duration(end - began));
}

function count(item) {
  const { state } = item;
  let n = 0;
  for (const row of known.rows.values()) if (has(row, state)) n++;
  text(item.firstChild.firstChild, n.toLocaleString("en"));
  attribute(item.firstChild, "href", "#/keys" + query({ state }));
  attribute(item.firstChild, "aria-current", state === filter.state && "true");
}

function head() {
  const { sources } = known.about;
  $("grid").style.setProperty("--sources", sources.length);
  const names = ["key", ...sources, "state", "for"];
  $("grid-head").replaceChildren(...names.map((name) => h("th", { role: "columnheader", scope: "col" }, name)));
  $("missing").replaceChildren(h("option", { value: "" }, "any"), ...sources.map((name) => h("option", { value: name }, name)));
  $("grid-rows").replaceChildren();
  $("grid-rows").byKey = new Map();
}

function move(e) {
  const tr = e.target.closest("tr");
  const to = { ArrowDown: tr?.nextElementSibling, ArrowUp: tr?.previousElementSibling, Home: $("grid-rows").firstChild, End: $("grid-rows").lastChild }[e.key];
  if (!to) return;
  e.preventDefault();
  to.querySelector("a").focus();
}

export function startGrid() {
  for (const state of ["", ...states, "letter"]) {
    const item = h("li", null, h("a", null, h("b", null, "0"), labels[state] ?? state));
    item.state = state;
    $("states").append(item);
  }
  const go = () => history.replaceState(null, "", "#/keys" + (selected === null ? "" : "/" + encodeURIComponent(selected))
    + query({ q: $("find").value, missing: $("missing").value, sort: $("sort").value })) ?? dispatchEvent(new HashChangeEvent("hashchange"));
  $("filter").addEventListener("input", go);
  $("filter").addEventListener("submit", (e) => e.preventDefault());
  $("grid-rows").addEventListener("keydown", move);
  $("grid-rows").addEventListener("click", (e) => {
    if (!e.target.closest("a") && getSelection().isCollapsed) e.target.closest("tr")?.querySelector("a").click();
  });
  on("about", () => { head(); render(); });
  on("rows", render);
  setInterval(() => { for (const tr of $("grid-rows").children) if (!tr.item.claim?.done) age(tr, tr.item); }, 1000);
}
