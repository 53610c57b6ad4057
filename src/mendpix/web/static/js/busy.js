// Shows that something is under way, lets it be cancelled, and says what went wrong or well. Knows no pictures.

import { wasCancelled } from "./api.js";
import { byId, icon, make } from "./dom.js";

const LATE_MS = 350;
const MOST_NOTES = 2;
const STAGES = {
  reading: "Reading",
  filling: "Filling",
  drawing: "Filling",
  "opening the models": "Loading the models",
  "looking for damage": "Looking for damage",
  "looking at it": "Looking for doubtful places",
  detecting: "Looking for doubtful places",
  pasting: "Putting it in place",
  "bringing back": "The server had let the photo go: sending it again",
};
const OTHERS = "The server is busy with other pictures";

let current = null;

export const isBusy = () => current !== null;

/** Stop what is under way. */
export function cancel() {
  current?.abort();
}

/**
 * Do one piece of work at a time, with progress and a cancel button. `work` gets {signal, onProgress}.
 * Answers with what it answers, or null if it was cancelled, failed, or something else is under way.
 */
export async function run(label, work) {
  if (current) {
    say("Something is still under way; wait or cancel it first.");
    return null;
  }
  const control = (current = new AbortController());
  const [box, bar, words] = [byId("progress"), byId("progress-bar"), byId("progress-words")];
  const begun = performance.now();
  let told = "";
  const show = (text, value) => {
    if (value > 0.01) bar.value = value;
    else bar.removeAttribute("value"); // moves to and fro until more is known
    const passed = (performance.now() - begun) / 1000;
    const left = value > 0.08 && passed > 2 ? (passed / value) * (1 - value) : 0;
    const rest = left > 2 ? ` · about ${left < 90 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`} left` : "";
    if (text + rest !== told) words.textContent = told = text + rest;
  };
  show(label, 0);
  byId("notes").replaceChildren(); // what was said is of what was done before
  document.body.classList.add("busy");
  const timer = setTimeout(() => (box.hidden = false), LATE_MS);
  const onProgress = (share, stage = "", status = "running", { leftS = 0 } = {}) => {
    if (status === "full") show(`${OTHERS}: asking again in ${leftS} s`, 0);
    else if (status === "waiting") show(`${OTHERS}; yours is waiting`, 0);
    else show(STAGES[stage] ?? label, share ?? 0);
  };
  try {
    return await work({ signal: control.signal, onProgress });
  } catch (error) {
    if (wasCancelled(error)) say("Cancelled. Nothing was changed.");
    else fail(error);
    return null;
  } finally {
    clearTimeout(timer);
    box.hidden = true;
    current = null;
    document.body.classList.remove("busy");
    document.dispatchEvent(new Event("idle"));
  }
}

/** Say a sentence that goes away by itself. */
export function say(text) {
  note(text, "", 5000);
}

/** Say what went wrong; stays until it is closed. */
export function fail(error) {
  note(error.message, "error", 0);
  if (!(error instanceof Error) || error.name === "TypeError") console.error(error);
}

function note(sentence, kind, forMs) {
  // the server's begin small and may lack their full stop, for command lines
  const text = sentence.slice(0, 1).toUpperCase() + sentence.slice(1) + (/[.?!]$/.test(sentence) ? "" : ".");
  const list = byId("notes");
  for (const old of list.children) if (old.dataset.text === text) old.remove();
  const close = make("button", { type: "button", class: "quiet", "aria-label": "Close message" }, icon("close"));
  const box = make(
    "div",
    { class: `note ${kind}`, "data-text": text, role: kind ? "alert" : "status" },
    make("span", { text }),
    close,
  );
  close.addEventListener("click", () => box.remove());
  list.append(box);
  while (list.children.length > MOST_NOTES) list.firstChild.remove();
  const goSoon = () => setTimeout(() => box.remove(), forMs);
  if (forMs && current)
    document.addEventListener("idle", goSoon, { once: true }); // time to read begins afterwards
  else if (forMs) goSoon();
}
