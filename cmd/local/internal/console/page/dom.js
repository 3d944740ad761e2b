// Makes elements and keeps them up to date. Whatever comes from outside gets in as text.

export const $ = (id) => document.getElementById(id);

// h makes an element: h("a", {href: "#/", class: "x", onclick: f}, "text", otherElement).
export function h(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) e.setAttribute(name, value === true ? "" : value);
  }
  e.append(...children.filter((c) => c !== undefined && c !== null));
  return e;
}

// text and attribute change something only if it is another: then nothing is announced, selected
// or laid out again.
export function text(e, to) {
  if (e.textContent !== to) e.textContent = to;
}

export function attribute(e, name, to) {
  if (to === undefined || to === null || to === false) e.removeAttribute(name);
  else if (e.getAttribute(name) !== String(to)) e.setAttribute(name, to);
}

// enable lets a button be used, or not. One that has the focus keeps it: it is disabled when the focus goes on.
export function enable(button, can) {
  const later = !can && button === document.activeElement;
  button.disabled = !can && !later;
  attribute(button, "aria-disabled", later && "true");
  button.onblur = later && (() => enable(button, false));
}

// reconcile makes parent's children those of items, in their order. Elements of the same key are
// kept, and moved only where they must; what has the focus keeps it.
export function reconcile(parent, items, keyOf, make, update) {
  const known = (parent.byKey ??= new Map());
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const wanted = new Set(items.map(keyOf));
  for (const [key, e] of known) {
    if (wanted.has(key)) continue;
    if (e.contains(focused)) (e.nextElementSibling ?? e.previousElementSibling)?.querySelector("a, button")?.focus({ preventScroll: true });
    e.remove();
    known.delete(key);
  }
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let e = known.get(key);
    if (!e) known.set(key, (e = make(item)));
    if (e.item !== item) update(e, (e.item = item));
    if (e === at?.nextElementSibling) at = e; // the one before moves down later
    if (e === at) at = at.nextElementSibling;
    else parent.insertBefore(e, at);
  }
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  if (focused && document.activeElement === document.body) $("main").focus({ preventScroll: true }); // nothing is left beside it
}

// facts fills a description list with [name, value] pairs, values being texts or elements.
export function facts(dl, pairs) {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  const now = JSON.stringify(shown.map(([name, value]) => [name, value.outerHTML ?? value]));
  if (dl.shown === now) return;
  dl.shown = now;
  dl.replaceChildren(...shown.flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}

let silence;
// say shows a sentence for a while, and has screen readers read it.
export function say(sentence) {
  const said = $("said");
  said.textContent = "";
  said.textContent = sentence;
  clearTimeout(silence);
  silence = setTimeout(() => (said.textContent = ""), 8000);
}

let answered = () => {};
// ask opens a dialog. It resolves to the values of its fields, by name, or to null. A field is
// {name, label, type: "checkbox" | "text" | "area", value, required}.
export function ask({ title, text: sentence, yes, fields = [] }) {
  const dialog = $("ask");
  text($("ask-title"), title);
  text($("ask-text"), sentence);
  text($("ask-yes"), yes);
  const inputs = fields.map((f) => {
    const input = f.type === "area" ? h("textarea", { name: f.name, rows: 8, spellcheck: "false" })
      : h("input", { name: f.name, type: f.type, required: f.required, autocomplete: "off" });
    input.value = f.value ?? "";
    return input;
  });
  $("ask-fields").replaceChildren(...fields.map((f, i) => f.type === "checkbox" ? h("label", null, inputs[i], " " + f.label)
    : h("label", { class: "stack" }, f.label, inputs[i])));
  answered(null); // to whoever asked before
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    answered = resolve;
    dialog.onclose = () => {
      if (dialog.open) return; // that was the last one's, which comes late
      resolve(dialog.returnValue !== "yes" ? null : Object.fromEntries(inputs.map((i) => [i.name, i.type === "checkbox" ? i.checked : i.value])));
    };
  });
}

// doing runs what calls the server for a form or a button, and says how it ended.
export const doing = (work) => async (e) => {
  e?.preventDefault();
  if (e?.currentTarget?.ariaDisabled === "true") return;
  try {
    const said = await work(e);
    if (said) say(said);
  } catch (failure) {
    say("That failed: " + failure.message);
  }
};

// attributes reads lines of NAME=VALUE; lines makes them.
export function attributes(lines) {
  return Object.fromEntries(lines.split("\n").filter((l) => l.trim() !== "").map((l) => {
    const at = l.indexOf("=");
    if (at < 1) throw new Error(`"${l}" is not NAME=VALUE`);
    return [l.slice(0, at).trim(), l.slice(at + 1)];
  }));
}

export const lines = (all) => Object.entries(all ?? {}).map(([name, value]) => `${name}=${value}`).join("\n");

const two = (n) => String(n).padStart(2, "0");

// clock is a time of day here; time makes a <time> of it.
export function clock(iso, millis) {
  const t = new Date(iso);
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}` + (millis ? "." + String(t.getMilliseconds()).padStart(3, "0") : "");
}

export const time = (iso, millis) => h("time", { datetime: iso, title: iso }, clock(iso, millis));

// duration is how long some milliseconds are, in words.
export function duration(ms) {
  const s = ms / 1000;
  if (s < 0) return "0 s";
  if (s < 10) return s.toFixed(1) + " s";
  if (s < 60) return Math.floor(s) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 86400) return Math.floor(s / 3600) + " h";
  return Math.floor(s / 86400) + " d";
}

// pretty is a JSON text indented, and any other as it is. Long numbers are left as they are.
export function pretty(content) {
  if (content.base64) return content.text;
  let depth = 0, out = "", quoted = false;
  try { JSON.parse(content.text); } catch { return content.text; }
  const line = () => "\n" + "  ".repeat(depth);
  for (let i = 0; i < content.text.length; i++) {
    const c = content.text[i];
    if (quoted) { out += c; if (c === "\\") out += content.text[++i]; else if (c === '"') quoted = false; continue; }
    if (/\s/.test(c)) continue;
    if (c === '"') quoted = true;
    if ("{[".includes(c)) {
      const close = content.text.slice(i + 1).match(/^\s*([}\]])/);
      if (close) { out += c + close[1]; i += close[0].length; continue; }
      depth++; out += c + line();
    } else if ("}]".includes(c)) { depth--; out += line() + c; }
    else out += c + (c === "," ? line() : c === ":" ? " " : "");
  }
  return out;
}
