// Mends one doubtful place: tries methods side by side, lets the visitor look, keep one or go back.
// Knows the editor and the doubt; the server is asked through the editor.

import { accountOf, maskIn, meanIn } from "./account.js";
import { previewUrl } from "./api.js";
import { run } from "./busy.js";
import { byId, make, percent } from "./dom.js";
import { drawOutline } from "./outline.js";

const METHODS = [
  { label: "More context", model: "auto", wider: true, why: "a larger piece around it is filled anew" },
  { label: "Copy", model: "exemplar-harmonised", why: "pieces of the surroundings, texture and all" },
  { label: "Network", model: "scenes", why: "for smooth and thin places" },
  { label: "Smooth", model: "harmonic", why: "the softest surface through the border" },
];

/** How far around a doubtful place a method fills, px. */
function growOf({ box: [, , w, h] }, { wider = false }) {
  const longer = Math.max(w, h);
  return Math.round(wider ? Math.max(12, 0.35 * longer) : Math.max(3, 0.04 * longer));
}

/** The box in which a place is mended. */
export class Refill {
  #region = null;
  #start = null; // version and picture before anything was tried
  #tried = [];
  #looked = null; // where one looked before the box came
  #frame = null; // lines around what is filled anew

  constructor(editor, doubt) {
    this.editor = editor;
    this.box = byId("refill");
    doubt.addEventListener("pick", ({ detail }) => this.open(detail));
    this.doubt = doubt;
    editor.view.marks.push((context, view) => {
      if (this.#frame && view.split === null) drawOutline(context, view, this.#frame);
    });
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

  open(region) {
    if (this.#start) this.close();
    const { view, version } = this.editor;
    this.#region = region;
    this.#start = { version, shown: view.picture };
    this.#tried = [{ label: "As it is", version, shown: view.picture, doubt: region.mean }];
    byId("refill-title").textContent = `Doubtful place ${region.number}`;
    this.#frameAsItIs(region);
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
        const { file, frame } = await this.doubt.maskOf(region, growOf(region, method), watch);
        if (this.#region !== region) return;
        this.#setFrame(frame);
        const label = `Place mended: ${method.label.toLowerCase()}`;
        const options = { model: method.model, label, isPlace: true, exclude: await this.editor.avoidedFile() };
        const { version: before } = this.#start;
        const version = await this.editor.make(before, file, options, watch);
        const pixels = maskIn(await accountOf(before, this.editor, watch), region, before);
        const doubt = version.artifacts ? meanIn(await accountOf(version, this.editor, watch), pixels) : null;
        const shown = await this.editor.shown(version, watch);
        if (this.#region !== region) return;
        this.#tried.push({ label: method.label, version, shown, frame, doubt });
        this.#write(this.#tried.length - 1);
      }
      const doubts = this.#tried.map(({ doubt }, index) => (index ? (doubt ?? 1) : 2));
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

  /** Frame what the methods fill that go no further than they must. */
  async #frameAsItIs(region) {
    try {
      const { frame } = await this.doubt.maskOf(region, growOf(region, {}));
      if (this.#region !== region || this.#frame) return;
      this.#tried[0].frame = frame;
      this.#setFrame(frame);
    } catch {
      // no map any more: the place is mended, or not, without a frame
    }
  }

  #setFrame(frame) {
    this.#frame = frame;
    this.editor.view.redraw();
  }

  #end() {
    this.#start = this.#region = null;
    this.#tried = [];
    this.#setFrame(null);
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
      ...this.#tried.map(({ label, version, doubt }, index) => {
        const score = typeof doubt === "number" ? ` · doubt ${percent(doubt)}` : "";
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
    this.#frame = this.#tried[chosen].frame ?? this.#frame;
    view.show(this.#tried[chosen].shown);
  }
}
