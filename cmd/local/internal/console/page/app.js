// The page: which view is shown, and what all of them share.
import { $, attribute, text } from "./dom.js";
import { connect, known, on } from "./live.js";
import { query, showGrid, startGrid } from "./grid.js";
import { showKey, startKey } from "./key.js";
import { showLetter, startLetters } from "./letters.js";
import { startPublish } from "./publish.js";
import { startTour } from "./tour.js";
import { startTrouble } from "./trouble.js";

export const keyURL = (key) => "#/keys/" + encodeURIComponent(key) + query({});

const views = {
  keys: { title: "Keys", show: (item, parameters) => { showGrid(parameters, item); showKey(item); }, heading: "key-title" },
  publish: { title: "Publish", show() {} },
  trouble: { title: "Trouble", show() {} },
  letters: { title: "Letters", show: showLetter, heading: "letter-title" },
  sweep: { title: "Sweep", show() {} },
  tour: { title: "Tour", show() {} },
};

let shown = {};

// route shows what the URL says: #/VIEW, or #/VIEW/ITEM, with a query.
function route() {
  const [path, parameters] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [name, ...rest] = path.split("/");
  const view = Object.hasOwn(views, name) ? name : "keys";
  let item = null;
  try { item = rest.length && rest[0] !== "" ? decodeURIComponent(rest.join("/")) : null; } catch { /* it is no URL of ours */ }
  for (const other of Object.keys(views)) $("view-" + other).hidden = other !== view;
  for (const link of $("views").children) attribute(link, "aria-current", link.hash === "#/" + view && "page");
  document.title = (item === null ? "" : item + " · ") + views[view].title + " · Event Driver";
  views[view].show(item, new URLSearchParams(parameters ?? ""));
  focus(view, item);
  shown = { view, item };
}

// focus goes to what was opened, and back to the link that opened it.
function focus(view, item) {
  if (shown.view === undefined || shown.view === view && shown.item === item) return;
  if (item !== null && views[view].heading) return $(views[view].heading).focus();
  if (shown.view === view) {
    const link = [...$("view-" + view).querySelectorAll("tbody a")].find((a) => a.textContent === shown.item);
    if (link) return link.focus();
  }
  $("main").focus({ preventScroll: true });
}

on("link", (live) => {
  text($("link"), live ? "live" : "connecting…");
  $("link").classList.toggle("live", live);
});
on("about", () => text($("store"), known.about.store));
on("problem", (sentence) => {
  $("problem").hidden = sentence === "";
  text($("problem"), sentence && "The store can't be looked at: " + sentence);
});
on("letters", () => {
  $("letter-count").hidden = known.letters.length === 0;
  text($("letter-count"), String(known.letters.length));
});

// A slash goes to the search; when it is released, so that it is typed nowhere.
const isSlash = (e) => e.key === "/" && !e.ctrlKey && !e.metaKey && !e.target.closest?.("input, textarea, select, dialog");
addEventListener("keydown", (e) => { if (isSlash(e)) e.preventDefault(); });
addEventListener("keyup", (e) => {
  if (!isSlash(e)) return;
  if (shown.view !== "keys") {
    location.hash = "#/keys";
    setTimeout(() => $("find").focus());
  } else $("find").focus();
});
$("skip").addEventListener("click", (e) => { e.preventDefault(); $("main").focus(); });

startGrid();
startKey();
startLetters();
startPublish();
startTrouble();
startTour();
addEventListener("hashchange", route);
route();
connect();
