// The tools that paint: brush, eraser, rectangle, lasso, and a brush for what must not be copied. Each gets places in
// the picture's pixels, from whichever device. Knows no events and no server.

import { joined } from "./history.js";
import { polygon, rectangle, stroke } from "./shapes.js";

export const LABELS = {
  brush: "Brush stroke",
  eraser: "Erase",
  rectangle: "Rectangle",
  lasso: "Lasso",
  avoid: "Do not copy from here",
};

/** What is being painted with, and the stroke that is under way. */
export class Painter extends EventTarget {
  #points = [];
  #last = null;
  #erases = false;
  #layers = []; // pairs of a mask that the stroke under way changes, and whether it erases there

  constructor() {
    super();
    this.tool = "brush";
    this.size = 40; // diameter, the picture's pixels
    this.hardness = 1;
    this.pressure = true;
    this.mask = null; // what is to be filled
    this.avoided = null; // what must not be copied from
    this.corrections = null; // what was done by hand to a mask that was found
    this.cursor = null;
  }

  choose(tool) {
    if (this.painting) this.cancel();
    this.tool = tool;
    this.dispatchEvent(new Event("change"));
  }

  resize(size) {
    this.size = Math.round(Math.min(2000, Math.max(1, size)));
    this.dispatchEvent(new Event("change"));
  }

  get painting() {
    return this.#layers.length > 0;
  }

  /** Press down at a place. `straight` draws a line from where the last stroke ended. */
  press(place, { erase = false, straight = false } = {}) {
    if (!this.mask || this.painting) return;
    this.#erases = erase || this.tool === "eraser";
    this.#layers = this.#targets;
    for (const [layer] of this.#layers) layer.begin();
    this.#points = [place];
    if (this.#brushes) this.#dab(straight && this.#last ? this.#last : place, place);
  }

  /** Move while pressed. */
  drag(place) {
    if (!this.painting) return;
    const before = this.#points.at(-1);
    if (this.#brushes) this.#dab(before, place);
    if (this.tool === "rectangle") this.#points[1] = place;
    else this.#points.push(place);
  }

  /** Let go. Sends "step" with what can be taken back. */
  release() {
    if (!this.painting) return;
    for (const [layer, erase] of this.#layers) this.#close(layer, erase);
    this.#last = this.#brushes ? this.#points.at(-1) : null;
    const label = LABELS[this.#erases ? "eraser" : this.tool];
    const steps = this.#layers.map(([layer]) => layer.end(label));
    this.#points = this.#layers = [];
    const step = joined(label, steps);
    if (!step) return;
    step.marks = !this.#erases && this.tool !== "avoid"; // there is more to fill than before
    this.dispatchEvent(new CustomEvent("step", { detail: step }));
  }

  /** Take back the stroke that is under way: a second finger came down, or Escape was pressed. */
  cancel() {
    if (!this.painting) return;
    for (const [layer] of this.#layers) layer.drop();
    this.#points = this.#layers = [];
  }

  /** The eraser takes away whatever is marked; the other tools mark one thing. */
  get #targets() {
    const marks = this.#erases || this.tool !== "avoid" ? [[this.mask, this.#erases]] : [];
    if (marks.length && this.corrections) marks.push(...this.corrections.targets(this.#erases));
    if (this.#erases || !marks.length) marks.push([this.avoided, this.#erases]);
    return marks;
  }

  /** Fill what an outline encloses. */
  #close(layer, erase) {
    const options = { erase };
    if (this.tool === "rectangle" && this.#points[1]) rectangle(layer, ...this.#points, options);
    if (this.tool === "lasso") polygon(layer, this.#points, options);
  }

  get #brushes() {
    return ["brush", "eraser", "avoid"].includes(this.tool);
  }

  #dab(from, to) {
    const sized = ({ x, y, force = 1 }) => ({
      x,
      y,
      radius: Math.max(0.5, (this.size / 2) * (this.pressure ? force : 1)),
    });
    const hardness = this.tool === "avoid" ? 1 : this.hardness;
    for (const [layer, erase] of this.#layers) stroke(layer, sized(from), sized(to), { erase, hardness });
  }

  /** Draw the brush's circle and unfinished outlines over the picture. */
  draw(context, view) {
    const lines = (path) => {
      for (const [colour, width] of [
        ["rgba(0,0,0,.75)", 3],
        ["#fff", 1.25],
      ]) {
        context.strokeStyle = colour;
        context.lineWidth = width;
        context.stroke(path);
      }
    };
    const on = ({ x, y }) => view.toStage(x, y);
    if (this.tool === "rectangle" && this.#points[1]) {
      const [a, b] = this.#points.map(on);
      const path = new Path2D();
      path.rect(a.x, a.y, b.x - a.x, b.y - a.y);
      lines(path);
    } else if (this.tool === "lasso" && this.#points.length) {
      const path = new Path2D();
      for (const point of this.#points.map(on)) path.lineTo(point.x, point.y);
      path.closePath();
      lines(path);
    }
    if (!this.cursor || this.tool === "hand") return;
    const { x, y } = on(this.cursor);
    const path = new Path2D();
    if (this.#brushes) {
      const radius = Math.max(1.5, (this.size / 2) * view.scale);
      path.arc(x, y, radius, 0, 2 * Math.PI);
      if (this.hardness < 1) {
        path.moveTo(x + radius * this.hardness, y);
        path.arc(x, y, radius * this.hardness, 0, 2 * Math.PI);
      }
    }
    if (!this.#brushes || this.cursor.keyboard) {
      for (const [dx, dy] of [
        [1, 0],
        [0, 1],
      ]) {
        path.moveTo(x - 9 * dx, y - 9 * dy);
        path.lineTo(x + 9 * dx, y + 9 * dy);
      }
    }
    lines(path);
  }
}
