// Shows where the result looks filled: the map as a glow, each doubtful place as a numbered button and a line in a
// list. Knows the server's map and regions; what is done about a place is up to who listens for "pick".

import { artifactsUrl, blobAt } from "./api.js";
import { byId, make, percent } from "./dom.js";
import { encodeGrey } from "./png.js";

const MAP_PX = 1536;
const DOUBTFUL = 128;
const BADGE_PX = 30;

/** A score in words; they are careful, since copied places look real to the detector. */
export function inWords(score) {
  if (score === null || score === undefined) return "Not looked at.";
  if (score < 0.08) return "Hardly anything looks filled.";
  if (score < 0.25) return "A little looks filled.";
  if (score < 0.5) return "Some of it looks filled.";
  return "Most of it looks filled.";
}

/**
 * The map of a version, and around what was mended in it, that of the versions before: a place that was mended leaves
 * the other doubtful places as they were.
 */
async function mapOf(version, editor, watch) {
  const maps = version.maps ?? [{ version, cut: null }];
  const small = Math.min(1, MAP_PX / Math.max(version.width, version.height));
  const canvas = new OffscreenCanvas(Math.ceil(version.width * small), Math.ceil(version.height * small));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const { version: one, cut } of maps) {
    const bitmap = await createImageBitmap(
      await editor.holding(one, watch, () => blobAt(artifactsUrl(one.id, MAP_PX))),
    );
    if (cut) context.clearRect(...cut.map((value) => value * small));
    context.globalCompositeOperation = "lighten";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = "source-over";
  }
  return canvas;
}

/** Let a version in which one region was mended inherit the doubt about the rest. */
export function inherit(version, before, region, growPx) {
  const [x, y, w, h] = region.box;
  const cut = [x - growPx, y - growPx, w + 2 * growPx, h + 2 * growPx];
  version.maps = [...(before.maps ?? [{ version: before, cut: null }]), { version, cut }];
  version.regions = [...(before.regions ?? []).filter((one) => one !== region), ...(version.regions ?? [])];
  version.partial = true;
}

/** The doubt about the version in view. */
export class Doubt extends EventTarget {
  #drawn = null; // the version whose glow is drawn
  #badges = []; // pairs of a button and the box it stands for

  constructor(editor) {
    super();
    this.editor = editor;
    this.on = false;
    this.list = byId("regions");
    editor.addEventListener("version", () => this.refresh());
    editor.view.addEventListener("move", () => this.#place());
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
    if (this.#drawn === version.id) return;
    this.#drawn = version.id;
    view.heat = null;
    try {
      const heat = glow(await mapOf(version, this.editor));
      if (this.#drawn === version.id) view.heat = heat;
    } catch {
      this.#drawn = null; // no map any more: the list stays
    }
    view.redraw();
  }

  /** The doubtful pixels of a region as a mask file for the whole picture, grown by some pixels. */
  async maskOf(region, growPx, watch) {
    const { width, height } = this.editor.version;
    const map = await mapOf(this.editor.version, this.editor, watch);
    const [x, y, w, h] = region.box;
    const [left, top] = [Math.max(0, x - growPx), Math.max(0, y - growPx)];
    const [right, bottom] = [Math.min(width, x + w + growPx), Math.min(height, y + h + growPx)];
    const small = Math.min(1, map.width / width);
    const canvas = new OffscreenCanvas(Math.ceil((right - left) * small), Math.ceil((bottom - top) * small));
    const context = canvas.getContext("2d");
    // a soft blur of the threshold's size stands for growing: good enough for the edge of a doubt
    if (growPx) context.filter = `blur(${Math.max(0.5, (growPx * small) / 2)}px)`;
    context.drawImage(map, -left * small, -top * small);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const from = growPx ? 40 : DOUBTFUL;
    const at = (px, py) => data[4 * (Math.min(canvas.height - 1, py) * canvas.width + Math.min(canvas.width - 1, px))];
    const line = new Uint8Array(width);
    return encodeGrey(width, height, (row) => {
      line.fill(0);
      if (row < top || row >= bottom) return line;
      const py = Math.floor((row - top) * small);
      for (let column = left; column < right; column++) {
        if (at(Math.floor((column - left) * small), py) >= from) line[column] = 255;
      }
      return line;
    });
  }

  #write() {
    const { version } = this.editor;
    const known = typeof version?.score === "number";
    byId("score").textContent = known ? version.score.toFixed(2) : "–";
    byId("score-words").textContent = inWords(version?.score) + (version?.partial ? " (The mended place alone.)" : "");
    byId("score-meter").value = known ? version.score : 0;
    byId("judge").hidden = Boolean(version?.artifacts);
    byId("doubt").disabled = !version?.artifacts;
    byId("doubt").setAttribute("aria-pressed", String(this.on));
    const shown = this.regions.slice(0, 12);
    this.list.replaceChildren(
      ...shown.map((region, index) =>
        make(
          "li",
          {},
          make("button", {
            type: "button",
            class: "row",
            text: `${index + 1}  Doubt ${percent(region.mean)}, ${region.box[2]} × ${region.box[3]} px`,
            onclick: () => this.#pick(index, true),
          }),
        ),
      ),
    );
    byId("regions-part").hidden = !shown.length;
    const badges = byId("badges");
    this.#badges = !this.on
      ? []
      : shown.map((region, index) => {
          const facts = {
            type: "button",
            class: "badge",
            text: String(index + 1),
            onclick: () => this.#pick(index, false),
          };
          return [make("button", { ...facts, "aria-label": `Doubtful place ${index + 1}: mend it` }), region.box];
        });
    badges.replaceChildren(...this.#badges.map(([badge]) => badge));
    this.#place();
  }

  #pick(index, zooms) {
    const region = this.regions[index];
    if (zooms) this.editor.view.lookAt(region.box);
    this.dispatchEvent(new CustomEvent("pick", { detail: { region, number: index + 1 } }));
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

/** Colour a grey map: the more doubtful, the yellower and the denser; certain places stay clear. */
function glow(map) {
  const canvas = new OffscreenCanvas(map.width, map.height);
  const context = canvas.getContext("2d");
  context.drawImage(map, 0, 0);
  const image = context.getImageData(0, 0, map.width, map.height);
  const { data } = image;
  for (let index = 0; index < data.length; index += 4) {
    const doubt = data[index] / 255;
    data[index] = 255;
    data[index + 1] = Math.round(40 + 190 * doubt);
    data[index + 2] = Math.round(60 * (1 - doubt));
    data[index + 3] = doubt < 0.1 ? 0 : Math.round(30 + 130 * doubt);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
