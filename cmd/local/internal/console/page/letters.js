// Dead letters: read, replace, send again, drop.
import { $, ask, attribute, attributes, clock, doing, facts, h, lines, reconcile, text, time } from "./dom.js";
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
  text($("letter-name"), known.letters.find((l) => l.ref === ref)?.id || "Letter"); // the heading has the focus
  text($("letter-reason"), "");
  text($("letter-error"), "");
  $("letter").classList.add("unread");
  try {
    const read = await get("letter", { ref });
    if (ref === open) render((letter = read));
  } catch (e) {
    if (ref === open) text($("letter-error"), "It can't be read: " + e.message);
  }
}

function render(l) {
  $("letter").classList.remove("unread");
  text($("letter-name"), l.id || "an event without an ID");
  text($("letter-reason"), l.reason);
  text($("letter-error"), l.error ?? "");
  const headers = Object.entries(l.header ?? {}).map(([name, values]) => [name, values.join(", ")]);
  facts($("letter-facts"), [["key", l.key && h("a", { href: keyURL(l.key) }, l.key)], ["source", l.source], ["failed at", l.handler], ["delivery", l.attempt && String(l.attempt)],
    ["path", l.path], ["since", l.time && clock(l.time)], ...headers.sort()]);
  const message = pushed(l);
  $("letter-body").value = message ? decoded(message.data) : l.body;
  $("letter-attributes").value = message ? lines(message.attributes) : "";
  for (const id of ["letter-attributes", "letter-attributes-label"]) $(id).hidden = !message;
  $("letter-body").readOnly = l.bodyEncoding === "base64";
  text($("letter-label"), message ? "Content; change it to replace the event" : "Body of the request; change it to replace the event");
  letter.shown = [$("letter-body").value, $("letter-attributes").value].join("\0");
}

// pushed is the Pub/Sub message that a letter's request brought, or null. Its data must be a text.
function pushed(l) {
  try {
    const { message } = JSON.parse(l.body);
    if (typeof message !== "object") return null;
    decoded(message.data);
    return message;
  } catch { return null; }
}

const decoded = (data) => new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(data ?? ""), (c) => c.charCodeAt(0)));
const encoded = (content) => btoa(Array.from(new TextEncoder().encode(content), (b) => String.fromCharCode(b)).join(""));

// replaced is the letter with what was typed in.
export function replaced(l, content, all) {
  if (!pushed(l)) return { ...l, body: content };
  const body = JSON.parse(l.body);
  body.message.data = encoded(content);
  body.message.attributes = all;
  return { ...l, body: JSON.stringify(body) };
}

async function send() {
  const content = $("letter-body").value, all = $("letter-attributes").value;
  const changed = [content, all].join("\0") !== letter.shown;
  const { shown, ...read } = letter;
  const answer = await act("resend", { ref: letter.ref, ...(changed && { letter: replaced(read, content, attributes(all)) }) });
  if (answer.dropped) location.hash = letter.key ? keyURL(letter.key) : "#/letters";
  return outcome(answer);
}

// outcome says what became of a letter that was sent.
export function outcome(answer) {
  const words = { processed: "It was processed", waits: "Its key waits for other events", "dead-lettered": "It was dead-lettered again", refused: "It was refused" };
  return (words[answer.result] ?? answer.result) + (answer.text ? ": " + answer.text : "") + (answer.dropped ? "; the letter is dropped." : "; the letter is kept.");
}

async function drop() {
  if (!await ask({ title: "Drop this letter", text: "Its event is gone then, unless it is kept elsewhere.", yes: "Drop" })) return "";
  const { said } = await act("drop", { ref: letter.ref });
  location.hash = "#/letters";
  return said;
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
  $("letter-form").addEventListener("submit", doing(send));
  $("letter-drop").addEventListener("click", doing(drop));
  $("letter-undo").addEventListener("click", () => render(letter));
}
