// Compares the version in view with the photo as it was: a slider across the picture, or a key or button held down.
// Knows the editor's view; asks the server for nothing but the old picture's preview.

import { byId } from "./dom.js";

/** Before and after. */
export class Compare {
  #held = false;
  #slides = false;
  #before = null;

  constructor(editor) {
    this.editor = editor;
    this.slider = byId("split");
    this.button = byId("compare");
    this.hold = byId("hold");
    this.button.addEventListener("click", () => this.slide(!this.#slides));
    this.slider.addEventListener("input", () => this.#draw());
    for (const [name, on] of [
      ["pointerdown", true],
      ["pointerup", false],
      ["pointerleave", false],
      ["pointercancel", false],
    ]) {
      this.hold.addEventListener(name, () => this.press(on));
    }
    this.hold.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && this.press(true));
    this.hold.addEventListener("keyup", () => this.press(false));
    this.hold.addEventListener("contextmenu", (event) => event.preventDefault());
    editor.addEventListener("version", () => this.#draw());
  }

  get possible() {
    return Boolean(this.editor.version?.source);
  }

  /** True while the slider is on. */
  get slides() {
    return this.#slides;
  }

  /** Put the line between before and after at a share of the stage's width. */
  put(share) {
    this.slider.value = 100 * Math.min(1, Math.max(0, share));
    this.#draw();
  }

  /** Show or leave the slider. */
  slide(on) {
    this.#slides = on && this.possible;
    this.#draw();
    this.editor.painter.cursor = null; // no brush over the line
    if (this.#slides) this.slider.focus();
  }

  toggle() {
    this.slide(!this.#slides);
  }

  /** Show the photo as it was for as long as something is held down. */
  press(on) {
    if (this.#held === on) return;
    this.#held = on && this.possible;
    this.#draw();
  }

  async #draw() {
    const { view, original } = this.editor;
    if (!this.possible) this.#slides = this.#held = false;
    const active = this.#slides || this.#held;
    this.slider.hidden = !this.#slides;
    byId("split-line").hidden = !this.#slides;
    this.button.setAttribute("aria-pressed", String(this.#slides));
    this.button.disabled = this.hold.disabled = !this.possible;
    document.body.classList.toggle("comparing", active);
    const share = this.#held ? 1 : this.slider.value / 100;
    view.split = active ? share : null;
    byId("split-line").style.left = `${share * 100}%`;
    if (active && this.#before?.version.id !== original.id) {
      try {
        this.#before = await this.editor.shown(original);
      } catch {
        this.#before = null;
      }
    }
    view.other = active ? this.#before : null;
    view.moved();
  }
}
