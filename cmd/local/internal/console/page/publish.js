// Publishing: an event, a whole order, once more, or not yet.
import { $, attributes, doing, enable, h, lines, reconcile, time } from "./dom.js";
import { act, get, known, on } from "./live.js";
import { keyURL } from "./app.js";

const sample = (source) => JSON.stringify({ from: source, number: 9007199254740993n.toString() });

// last is the content that was published last for a source, or a sample.
export async function last(source) {
  try {
    return await get("last", { source });
  } catch {
    return { text: sample(source), attributes: {} };
  }
}

// publish publishes events of a key at once, in any order; a content that is not given is the last.
export async function publish(key, all) {
  const events = await Promise.all(all.map(async (e) => e.content === undefined ? { source: e.source, key, content: (await last(e.source)).text } : { ...e, key }));
  return (await act("publish", { events })).ids;
}

async function fill() {
  const source = $("publish-source").value, e = await last(source);
  if (source !== $("publish-source").value) return;
  $("publish-content").value = e.base64 ? "" : e.text;
  $("publish-attributes").value = lines(e.attributes);
}

function event() {
  const key = $("publish-key").value;
  if (!$("publish-form").reportValidity()) throw new Error("a key is missing");
  return { source: $("publish-source").value, key, content: $("publish-content").value, attributes: attributes($("publish-attributes").value) };
}

async function order() {
  const key = event().key, sources = [...known.about.sources], how = $("order-how").value;
  if (how === "once") await publish(key, sources.map((source) => ({ source })));
  if (how === "back") sources.reverse();
  if (how !== "once") {
    for (const source of sources) {
      await publish(key, [{ source }]);
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  }
  return `An event of each source is published for ${key}.`;
}

const place = ({ source, key }) => `${source === "" ? "all sources" : source}, ${key === "" ? "all keys" : key}`;

function render() {
  const { holds, published } = known.lab;
  reconcile($("holds"), holds ?? [], (e) => JSON.stringify(e), (e) => h("li", null, place(e), " ", h("button",
    { type: "button", onclick: doing(async () => (await act("letgo", e)).said), "aria-label": "Let go " + place(e) }, "Let go")), () => {});
  $("no-holds").hidden = holds?.length > 0;
  reconcile($("published"), published ?? [], (e) => e.id, row, (tr, e) => {
    enable(tr.lastChild.firstChild, !e.heldBack);
    tr.lastChild.firstChild.textContent = e.heldBack ? "held back" : "Deliver again";
  });
  $("no-published").hidden = published?.length > 0;
}

function row(e) {
  return h("tr", null, h("td", null, time(e.published)), h("td", null, e.topic), h("td", null, e.key ? h("a", { href: keyURL(e.key) }, e.key) : "none"), h("td", null, e.id),
    h("td", null, h("button", { type: "button", "aria-label": `Deliver event ${e.id} again`, onclick: doing(async () => (await act("duplicate", { id: e.id })).said) })));
}

export function startPublish() {
  on("about", () => {
    if ($("publish-source").options.length === known.about.sources.length) return;
    $("publish-source").replaceChildren(...known.about.sources.map((name) => h("option", { value: name }, name)));
    fill();
  });
  on("lab", render);
  $("publish-source").addEventListener("change", fill);
  $("publish-key").value = "order-1";
  $("publish-form").addEventListener("submit", doing(async () => {
    const e = event();
    await act("publish", { events: [e] });
    return `${e.source} is published for ${e.key}.`;
  }));
  $("publish-hold").addEventListener("click", doing(async () => {
    const { source, key } = event();
    return (await act("hold", { source, key })).said;
  }));
  $("order-form").addEventListener("submit", doing(order));
}
