// The part of the panel that finds damage by itself: what is found becomes the mask, to be corrected and then filled.
// What was painted and erased by hand stays when one looks again. Knows the editor; paints nothing.

import { fail, isBusy, run, say } from "./busy.js";
import { byId, percent, shares, writeShare } from "./dom.js";
import { joined } from "./history.js";

const PATIENCE_MS = 500;
const CONTROLS = ["sensitivity", "preset", "max-area"];

/** Finds damage for one editor, and mends what is marked. */
class Restore {
  #timer = 0;
  #looked = null; // the version that was looked at: from then on the sliders look again by themselves
  #refused = null; // share of the photo that was found, if it is more than may be changed
  #settled = null; // controls as they were when one last looked
  #isApplied = false; // a step has just brought back what belongs to its mask

  constructor(editor, fill) {
    this.editor = editor;
    this.fill = fill;
    this.words = byId("found");
    byId("find").addEventListener("click", () => this.look());
    byId("fill-found").addEventListener("click", () => this.mend());
    for (const id of CONTROLS) byId(id).addEventListener("input", () => this.lookSoon());
    editor.addEventListener("version", () => this.#write());
    editor.addEventListener("mask", () => this.#changed());
    shares("sensitivity", "max-area");
  }

  get #mostShare() {
    return byId("max-area").value / 100;
  }

  get #controls() {
    return Object.fromEntries(CONTROLS.map((id) => [id, byId(id).value]));
  }

  /** Find damage and mark it. */
  async look() {
    const controls = this.#controls;
    const sensitivity = controls.sensitivity / 100;
    const options = { preset: controls.preset, sensitivity, max_area: this.#mostShare };
    const found = await run("Looking for damage", (watch) => this.editor.find(options, watch));
    if (!found) return;
    const before = { looked: this.#looked, refused: this.#refused, controls: this.#settled ?? controls };
    const after = { looked: this.editor.version, refused: found.refused ? found.share : null, controls };
    const panel = { label: "", bytes: 0, undo: () => this.#apply(before), redo: () => this.#apply(after) };
    this.#apply(after);
    this.editor.remember(joined("Find damage", [found.step, panel]));
    this.#write();
    if (this.editor.view.width < 600) say(this.words.textContent); // the sheet hides it
  }

  /** Let the panel say what belongs to a mask: the controls that it was found with, and what came of it. */
  #apply({ looked, refused, controls }) {
    clearTimeout(this.#timer);
    this.#looked = looked;
    this.#refused = refused;
    this.#settled = controls;
    for (const id of CONTROLS) byId(id).value = controls[id];
    for (const id of ["sensitivity", "max-area"]) writeShare(id);
    this.#isApplied = true;
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

  /** Whoever changes the mask by hand has looked at it. */
  #changed() {
    if (!this.#isApplied) this.#refused = null;
    this.#isApplied = false;
    this.#write();
  }

  #write() {
    const { version, mask } = this.editor;
    const isLooked = this.#looked !== null && this.#looked === version;
    const refused = isLooked ? this.#refused : null;
    this.words.classList.toggle("warning", refused !== null);
    if (!isLooked) this.words.textContent = "";
    else if (refused !== null) this.words.textContent = refusal(refused, this.#mostShare);
    else this.words.textContent = sentence(mask.share, byId("sensitivity").value / 100);
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
