// Dead letters: read, replace, send again, drop.
import { $, ask, attribute, clock, facts, h, reconcile, say, text, time } from "./dom.js";
import { act, get, known, on } from "./live.js";
import { keyURL } from "./app.js";

export const letterURL = (ref) => "#/letters/" + encodeURIComponent(ref);

let open = null; // the letter's ref
let letter = null;

export function showLetter(ref) {
  $("letter").hidden = ref === null;
  current();
  if (ref === open) return;
  open = ref;
  letter = null;
  if (ref !== null) load();
}

function current() {
  for (const tr of $("letter-rows").children) attribute(tr, "aria-current", tr.item.ref === open && "true");
}

async function load() {
  const ref = open;
  text($("letter-name"), "");
  text($("letter-reason"), "");
  text($("letter-error"), "");
  try {
    const read = await get("letter", { ref });
    if (ref === open) render((letter = read));
  } catch (e) {
    if (ref === open) text($("letter-error"), "It can't be read: " + e.message);
  }
}

function render(l) {
  text($("letter-name"), l.id || "an event without an ID");
  text($("letter-reason"), l.reason);
  text($("letter-error"), l.error ?? "");
  const headers = Object.entries(l.header ?? {}).map(([name, values]) => [name, values.join(", ")]);
  facts($("letter-facts"), [["key", l.key && h("a", { href: keyURL(l.key) }, l.key)], ["source", l.source], ["failed at", l.handler], ["delivery", l.attempt && String(l.attempt)],
    ["path", l.path], ["since", l.time && clock(l.time)], ...headers.sort()]);
  $("letter-body").value = l.body;
  $("letter-body").readOnly = l.bodyEncoding === "base64";
}

async function send(e) {
  e.preventDefault();
  const body = $("letter-body").value, replaced = body !== letter.body;
  try {
    const answer = await act("resend", { ref: letter.ref, ...(replaced && { letter: { ...letter, body } }) });
    say(`${answer.result}${answer.text ? ": " + answer.text : ""}${answer.dropped ? "; the letter is dropped" : ""}`);
    if (answer.dropped) location.hash = letter.key ? keyURL(letter.key) : "#/letters";
  } catch (failure) {
    say("Not sent: " + failure.message);
  }
}

async function drop() {
  if (!await ask({ title: "Drop this letter", text: "Its event is gone then, unless it is kept elsewhere.", yes: "Drop" })) return;
  try {
    say((await act("drop", { ref: letter.ref })).said);
    location.hash = "#/letters";
  } catch (failure) {
    say("Not dropped: " + failure.message);
  }
}

export function startLetters() {
  on("letters", () => {
    reconcile($("letter-rows"), known.letters, (l) => l.ref, (l) => h("tr", { role: "row" },
      h("td", { role: "cell" }, h("a", { href: letterURL(l.ref) }, l.id || "without an ID"), " ", h("span", { class: "dim" }, l.source ?? "")),
      h("td", { role: "cell" }, h("span", { class: "state bad" }, l.reason)), h("td", { role: "cell" }, l.key ? h("a", { href: keyURL(l.key) }, l.key) : "none"),
      h("td", { role: "cell" }, l.added ? time(l.added) : "")), () => {});
    $("no-letters").hidden = known.letters.length > 0;
    current();
  });
  $("letter-form").addEventListener("submit", send);
  $("letter-drop").addEventListener("click", drop);
  $("letter-undo").addEventListener("click", () => render(letter));
}
