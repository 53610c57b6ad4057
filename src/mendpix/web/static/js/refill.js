// Mends one doubtful place: tries methods side by side, lets the visitor look, keep one or go back.
// Knows the editor and the doubt; the server is asked through the editor.

import { previewUrl } from "./api.js";
import { run } from "./busy.js";
import { byId, make } from "./dom.js";
import { inherit } from "./doubt.js";

const METHODS = [
  { label: "More context", model: "auto", wider: true, why: "a larger piece around it is filled anew" },
  { label: "Copy", model: "exemplar-harmonised", why: "pieces of the surroundings, texture and all" },
  { label: "Network", model: "scenes", why: "for smooth and thin places" },
  { label: "Smooth", model: "harmonic", why: "the softest surface through the border" },
];

/** The box in which a place is mended. */
export class Refill {
  #region = null;
  #start = null; // version and picture before anything was tried
  #tried = [];
  #looked = null; // where one looked before the box came

  constructor(editor, doubt) {
    this.editor = editor;
    this.box = byId("refill");
    doubt.addEventListener("pick", ({ detail }) => this.open(detail));
    this.doubt = doubt;
    byId("refill-keep").addEventListener("click", () => this.keep());
    byId("refill-revert").addEventListener("click", () => this.close());
    byId("refill-methods").replaceChildren(
      ...METHODS.map((method) =>
        make("button", {
          type: "button",
          title: method.why,
          text: method.label,
          onclick: () => this.attempt([method]),
        }),
      ),
      make("button", {
        type: "button",
        class: "strong",
        text: "Try all",
        title: "all four, side by side",
        onclick: () => this.attempt(METHODS),
      }),
    );
    this.box.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
    editor.addEventListener("version", () => this.#start && this.editor.version !== this.#start.version && this.#end());
  }

  get isOpen() {
    return !this.box.hidden;
  }

  open({ region, number }) {
    if (this.#start) this.close();
    const { view, version } = this.editor;
    this.#region = region;
    this.#start = { version, shown: view.picture };
    this.#tried = [{ label: "As it is", version, shown: view.picture }];
    byId("refill-title").textContent = `Doubtful place ${number}`;
    this.box.hidden = false;
    document.body.classList.add("mending");
    const [x, , w] = region.box;
    this.box.classList.toggle("left", view.toStage(x + w / 2, 0).x > view.width / 2); // beside the place, not over it
    this.#write(0);
    this.#clearView();
    byId("refill-methods").querySelector("button").focus();
  }

  /** Bring the place into the part of the stage that the box leaves free. */
  #clearView() {
    const { view } = this.editor;
    const [x, y, w, h] = this.#region.box;
    const from = view.toStage(x, y);
    const to = view.toStage(x + w, y + h);
    const { offsetLeft, offsetTop, offsetWidth } = this.box;
    const isBeside = to.x < offsetLeft || from.x > offsetLeft + offsetWidth;
    this.#looked = { scale: view.scale, x: view.x, y: view.y };
    if (to.y > offsetTop && !isBeside) view.lookAt(this.#region.box, { down: offsetTop / view.height / 2, room: 1.2 });
  }

  /** Fill the place with each of the methods, one after the other. */
  async attempt(methods) {
    const region = this.#region;
    await run("Mending the place", async (watch) => {
      for (const method of methods) {
        if (this.#tried.some(({ label }) => label === method.label)) continue;
        const [, , w, h] = region.box;
        const growPx = Math.round(
          method.wider ? Math.max(12, 0.35 * Math.max(w, h)) : Math.max(3, 0.04 * Math.max(w, h)),
        );
        const mask = await this.doubt.maskOf(region, growPx, watch);
        const label = `Place mended: ${method.label.toLowerCase()}`;
        const options = { model: method.model, label, exclude: await this.editor.avoidedFile() };
        const version = await this.editor.make(this.#start.version, mask, options, watch);
        inherit(version, this.#start.version, region, growPx);
        const shown = await this.editor.shown(version, watch);
        if (this.#region !== region) return;
        this.#tried.push({ label: method.label, version, shown });
        this.#write(this.#tried.length - 1);
      }
      const doubts = this.#tried.map(({ version }, index) => (index ? (version.score ?? 1) : 2));
      if (methods.length > 1) this.#write(doubts.indexOf(Math.min(...doubts))); // begin with the least doubtful
    });
  }

  /** Keep what is chosen, as a step that can be undone. */
  async keep() {
    const chosen = this.#tried[this.chosen];
    const start = this.#start;
    this.#end();
    this.editor.view.show(start.shown);
    if (chosen && chosen.version !== start.version) {
      await this.editor.adopt(chosen.version, { label: "Mend a doubtful place" });
    }
    this.editor.view.stage.focus();
  }

  /** Go back to how it was. */
  close() {
    if (!this.#start) return;
    const { shown } = this.#start;
    this.#end();
    this.editor.view.show(shown);
    this.editor.view.stage.focus();
  }

  #end() {
    this.#start = this.#region = null;
    this.#tried = [];
    if (this.#looked) Object.assign(this.editor.view, this.#looked);
    this.#looked = null;
    this.editor.view.moved();
    this.box.hidden = true;
    document.body.classList.remove("mending");
    this.doubt.refresh();
  }

  #write(chosen) {
    this.chosen = chosen;
    const { view } = this.editor;
    const { width, height } = this.#start.version;
    const [x, y, w, h] = this.#region.box;
    const side = Math.min(Math.max(w, h, 96) * 1.5, width, height);
    const left = Math.max(0, Math.min(width - side, x + w / 2 - side / 2));
    const top = Math.max(0, Math.min(height - side, y + h / 2 - side / 2));
    const box = [left, top, side, side].map(Math.floor);
    byId("refill-tried").replaceChildren(
      ...this.#tried.map(({ label, version }, index) => {
        const score = index && typeof version.score === "number" ? ` · doubt ${version.score.toFixed(2)}` : "";
        return make(
          "button",
          {
            type: "button",
            class: "tried",
            "aria-pressed": String(index === chosen),
            onclick: () => this.#write(index),
          },
          make("img", { src: previewUrl(version.id, 160, box), alt: "", width: 92, height: 92 }),
          make("span", { text: label + score }),
        );
      }),
    );
    byId("refill-keep").disabled = chosen === 0;
    view.heat = chosen === 0 ? view.heat : null;
    view.show(this.#tried[chosen].shown);
  }
}
