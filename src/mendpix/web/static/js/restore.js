// The part of the panel that finds damage by itself: what is found becomes the mask, to be corrected and then filled.
// Knows the editor; paints nothing.

import { fail, isBusy, run, say } from "./busy.js";
import { byId, percent, shares } from "./dom.js";

const PATIENCE_MS = 500;

/** Finds damage for one editor, and mends what is marked. */
class Restore {
  #timer = 0;
  #looked = null; // the version that was looked at: from then on the sliders look again by themselves
  #refused = null; // share of the photo that was found, if it is more than may be changed
  #finding = false;

  constructor(editor, fill) {
    this.editor = editor;
    this.fill = fill;
    this.words = byId("found");
    byId("find").addEventListener("click", () => this.look());
    byId("fill-found").addEventListener("click", () => this.mend());
    for (const id of ["sensitivity", "preset", "max-area"]) byId(id).addEventListener("input", () => this.lookSoon());
    editor.addEventListener("version", () => this.#looked !== editor.version && this.#write(""));
    editor.addEventListener("mask", () => this.#corrected());
    shares("sensitivity", "max-area");
  }

  get #mostShare() {
    return byId("max-area").value / 100;
  }

  /** Find damage and mark it. */
  async look() {
    const sensitivity = byId("sensitivity").value / 100;
    const options = { preset: byId("preset").value, sensitivity, max_area: this.#mostShare };
    this.#finding = true;
    const found = await run("Looking for damage", (watch) => this.editor.find(options, watch));
    this.#finding = false;
    if (!found) return;
    this.#looked = this.editor.version;
    this.#refused = found.refused ? found.share : null;
    this.#write(found.refused ? refusal(found.share, this.#mostShare) : sentence(found.share, sensitivity));
    if (this.editor.view.width < 600) say(this.words.textContent); // the sheet hides it
  }

  /** Look again once the sliders have come to rest. */
  lookSoon() {
    clearTimeout(this.#timer);
    if (!this.#looked || this.#looked !== this.editor.version) return;
    this.#timer = setTimeout(() => {
      if (isBusy()) document.addEventListener("idle", () => this.lookSoon(), { once: true });
      else this.look();
    }, PATIENCE_MS);
  }

  /** Fill what is marked, unless it is more than may be changed and nobody has looked at it. */
  mend() {
    if (this.#refused === null) return this.fill();
    fail(new Error(refusal(this.#refused, this.#mostShare)));
  }

  /** Whoever changes the mask has looked at it. */
  #corrected() {
    if (this.#finding || this.#refused === null) return;
    this.#refused = null;
    this.#write(this.editor.mask.isEmpty ? "" : "Corrected. Mend when it is right.");
  }

  #write(text) {
    this.words.textContent = text;
    this.words.classList.toggle("warning", this.#refused !== null);
  }
}

function sentence(share, sensitivity) {
  if (share > 0) return `${percent(share)} of the photo is marked. Correct it with brush and eraser, then mend.`;
  return sensitivity < 0.9 ? "Nothing found. Raise the sensitivity, or paint the damage yourself." : "Nothing found.";
}

const refusal = (share, most) =>
  `${percent(share)} of the photo looks damaged, more than the ${percent(most)} that may be changed. ` +
  "Erase what is no damage, lower the sensitivity, or raise the limit under More.";

/** Wire the panel; `fill` fills what is marked. */
export const restorePanel = (editor, fill) => new Restore(editor, fill);
