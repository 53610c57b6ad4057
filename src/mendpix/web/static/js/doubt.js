// Shows where the result looks filled: the map as a glow, each doubtful place as a numbered button and a line in a
// list. Knows the account of what looks filled; what is done about a place is up to who listens for "pick".

import { accountOf, DOUBTFUL } from "./account.js";
import { byId, make, percent } from "./dom.js";
import { drawOutline, outline } from "./outline.js";
import { encodeGrey } from "./png.js";

const BADGE_PX = 30;

/** A score in words that say what is measured. */
export function inWords({ score, regions, source } = {}) {
  if (score === null || score === undefined) return "Not looked at.";
  const where = regions?.length ? "; look there first" : "";
  return `The detector takes ${percent(score)} of the ${source ? "fill" : "photo"} for filled${where}.`;
}

/** The doubt about the version in view. */
export class Doubt extends EventTarget {
  #drawn = null; // the version whose glow is drawn
  #badges = []; // pairs of a button and the box it stands for
  #frames = null; // lines around what is doubtful

  constructor(editor) {
    super();
    this.editor = editor;
    this.on = false;
    this.list = byId("regions");
    editor.addEventListener("version", () => this.refresh());
    editor.view.addEventListener("move", () => this.#place());
    editor.view.marks.push((context, view) => {
      if (view.heat && this.#frames && view.split === null) drawOutline(context, view, this.#frames);
    });
  }

  /** Switch the glow on or off. */
  toggle(on = !this.on) {
    this.on = on;
    this.refresh();
    this.dispatchEvent(new Event("change"));
  }

  get regions() {
    return this.editor.version?.regions ?? [];
  }

  async refresh() {
    const { view, version } = this.editor;
    this.#write();
    if (!this.on || !version?.artifacts) {
      view.heat = null;
      this.#drawn = null;
      view.redraw();
      return;
    }
    if (this.#drawn === version.id && view.heat) return;
    this.#drawn = version.id;
    view.heat = null;
    try {
      const account = await accountOf(version, this.editor);
      if (this.#drawn === version.id) {
        view.heat = glow(account);
        const { width, height, map } = account;
        const isIn = (column, row) => map[row * width + column] >= DOUBTFUL;
        this.#frames = outline(width, height, isIn, version.width / width);
      }
    } catch {
      this.#drawn = null; // no map any more: the list stays
    }
    view.redraw();
  }

  /**
   * The doubtful pixels of a region, grown by some pixels.
   *
   * @returns {file, frame}: a mask file for the whole picture, and lines around what is white in it
   */
  async maskOf(region, growPx, watch) {
    const { version } = this.editor;
    const { width, height } = version;
    const account = await accountOf(version, this.editor, watch);
    const [x, y, w, h] = region.box;
    const [left, top] = [Math.max(0, x - growPx), Math.max(0, y - growPx)];
    const [right, bottom] = [Math.min(width, x + w + growPx), Math.min(height, y + h + growPx)];
    const small = Math.min(1, account.width / width);
    const canvas = new OffscreenCanvas(Math.ceil((right - left) * small), Math.ceil((bottom - top) * small));
    const context = canvas.getContext("2d");
    // a soft blur of the threshold's size stands for growing: good enough for the edge of a doubt
    if (growPx) context.filter = `blur(${Math.max(0.5, (growPx * small) / 2)}px)`;
    context.drawImage(grey(account), -left * small, -top * small);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const from = growPx ? 40 : DOUBTFUL;
    const at = (px, py) => data[4 * (Math.min(canvas.height - 1, py) * canvas.width + Math.min(canvas.width - 1, px))];
    const line = new Uint8Array(width);
    const file = encodeGrey(width, height, (row) => {
      line.fill(0);
      if (row < top || row >= bottom) return line;
      const py = Math.floor((row - top) * small);
      for (let column = left; column < right; column++) {
        if (at(Math.floor((column - left) * small), py) >= from) line[column] = 255;
      }
      return line;
    });
    const frame = outline(canvas.width, canvas.height, (px, py) => at(px, py) >= from, 1 / small, left, top);
    return { file: await file, frame };
  }

  #write() {
    const { version } = this.editor;
    const known = typeof version?.score === "number";
    byId("score").textContent = known ? percent(version.score) : "–";
    byId("score-words").textContent = inWords(version ?? {});
    byId("score-meter").value = known ? version.score : 0;
    byId("judge").hidden = Boolean(version?.artifacts);
    byId("doubt").disabled = !version?.artifacts;
    byId("doubt").setAttribute("aria-pressed", String(this.on));
    const shown = this.regions.slice(0, 12);
    this.list.replaceChildren(
      ...shown.map((region) =>
        make(
          "li",
          {},
          make("button", {
            type: "button",
            class: "row",
            text: `${region.number}  Doubt ${percent(region.mean)}, ${region.box[2]} × ${region.box[3]} px`,
            onclick: () => this.#pick(region, true),
          }),
        ),
      ),
    );
    byId("regions-part").hidden = !shown.length;
    const badges = byId("badges");
    this.#badges = !this.on
      ? []
      : shown.map((region) => {
          const facts = {
            type: "button",
            class: "badge",
            text: String(region.number),
            onclick: () => this.#pick(region, false),
          };
          return [make("button", { ...facts, "aria-label": `Doubtful place ${region.number}: mend it` }), region.box];
        });
    badges.replaceChildren(...this.#badges.map(([badge]) => badge));
    this.#place();
  }

  #pick(region, zooms) {
    if (zooms) this.editor.view.lookAt(region.box);
    this.dispatchEvent(new CustomEvent("pick", { detail: region }));
  }

  #place() {
    const { view } = this.editor;
    const taken = [];
    for (const [badge, [x, y, w, h]] of this.#badges) {
      const place = view.toStage(x + w / 2, y + h / 2);
      const isNear = (other) => Math.hypot(place.x - other.x, place.y - other.y) < BADGE_PX;
      while (taken.some(isNear)) place.x += BADGE_PX; // side by side, so that each can be pressed
      taken.push(place);
      badge.style.translate = `${place.x}px ${place.y}px`;
      badge.hidden = place.x < 0 || place.y < 0 || place.x > view.width || place.y > view.height;
    }
  }
}

/** A map as a grey picture. */
function grey({ width, height, map }) {
  return painted(width, height, (data, at, index) => {
    data[at] = data[at + 1] = data[at + 2] = map[index];
    data[at + 3] = 255;
  });
}

/** Colour a map: the more doubtful, the yellower and the denser; certain places stay clear. */
function glow({ width, height, map }) {
  return painted(width, height, (data, at, index) => {
    const doubt = map[index] / 255;
    data[at] = 255;
    data[at + 1] = Math.round(40 + 190 * doubt);
    data[at + 2] = Math.round(60 * (1 - doubt));
    data[at + 3] = doubt < 0.1 ? 0 : Math.round(30 + 130 * doubt);
  });
}

function painted(width, height, paint) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let index = 0; index < width * height; index++) paint(image.data, 4 * index, index);
  context.putImageData(image, 0, 0);
  return canvas;
}
