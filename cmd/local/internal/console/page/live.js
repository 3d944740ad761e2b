// What is known of the function: the server sends all of it, and from then on what changes.

export const known = { about: null, rows: new Map(), letters: [], looked: false, lab: null };

const listeners = new Map(); // by what has changed: "about", "rows", "letters", "lab", "link", "problem"

export function on(what, call) {
  listeners.set(what, [...(listeners.get(what) ?? []), call]);
}

function changed(what, ...values) {
  for (const call of listeners.get(what) ?? []) call(...values);
}

// connect listens until the page is closed. A server that was restarted sends all anew.
export function connect() {
  const stream = new EventSource("/api/live");
  stream.onopen = () => changed("link", true);
  stream.onerror = () => {
    changed("link", false);
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
  stream.addEventListener("about", (e) => {
    known.about = JSON.parse(e.data);
    changed("about");
  });
  stream.addEventListener("lab", (e) => {
    known.lab = JSON.parse(e.data);
    changed("lab");
  });
  stream.addEventListener("view", (e) => merge(JSON.parse(e.data)));
}

function merge(view) {
  if (view.reset) known.rows.clear();
  known.looked = view.looked;
  for (const row of view.rows ?? []) {
    if (row.gone) known.rows.delete(row.key);
    else known.rows.set(row.key, row);
  }
  if (view.letters) {
    known.letters = view.letters;
    changed("letters");
  }
  if (view.problem !== undefined) changed("problem", view.problem);
  changed("rows", view.reset ? null : new Set((view.rows ?? []).map((r) => r.key)));
}

// get and act call the server; both throw an Error with a sentence.
export async function get(path, parameters) {
  return answered(await reach(path + "?" + new URLSearchParams(parameters)));
}

export async function act(name, body) {
  return answered(await reach(name, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }));
}

async function reach(path, options) {
  try {
    return await fetch("/api/" + path, options);
  } catch {
    throw new Error("the server does not answer");
  }
}

async function answered(response) {
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}
