// Draws the picture, the other picture to compare with, the doubt and the mask, and turns screen places into pixels.
// Knows no tools and no server; what is drawn is handed to it.

import { paintMasks } from "./overlay.js";

export const COLOURS = { red: [255, 45, 85], green: [0, 200, 90], blue: [40, 120, 255] };
const AVOIDED = [255, 190, 0];
const MOST = 32;

/** The canvas area with what is shown in it; sends "move" when the view changes. */
export class View extends EventTarget {
  #waiting = false;

  constructor(stage, pictureCanvas, maskCanvas, marksCanvas) {
    super();
    this.stage = stage;
    this.canvases = [pictureCanvas, maskCanvas, marksCanvas];
    this.picture = this.other = this.heat = null;
    this.mask = this.avoided = null; // what is to be filled, and what must not be copied from
    this.split = null; // share of the stage's width left of which `other` is seen; 1 = everywhere
    this.colour = "red";
    this.hatched = false;
    this.showMask = true;
    this.showAvoided = false;
    this.scale = 1; // screen pixels per picture pixel
    this.x = this.y = 0; // where the picture's corner lies, screen pixels
    this.marks = []; // functions (context, view) that draw outlines on top
    new ResizeObserver(() => this.#resize()).observe(stage);
    this.#resize();
  }

  get ratio() {
    return Math.min(devicePixelRatio || 1, 2);
  }

  /** Show a picture; another size is fitted into the stage. */
  show(picture, { fit = false } = {}) {
    const before = this.picture?.version;
    const { width, height } = picture.version;
    this.picture = picture;
    if (fit || before?.width !== width || before?.height !== height) this.fit();
    this.moved();
  }

  fitScale() {
    const { width, height } = this.picture.version;
    const margin = this.width < 600 ? 8 : 28;
    return Math.min((this.width - 2 * margin) / width, (this.height - 2 * margin) / height, 8);
  }

  /** Show all of the picture. */
  fit() {
    if (!this.picture) return;
    const { width, height } = this.picture.version;
    this.scale = this.fitScale();
    this.x = (this.width - width * this.scale) / 2;
    this.y = (this.height - height * this.scale) / 2;
    this.moved();
  }

  /** Zoom by a factor, keeping a place of the stage where it is. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.picture) return;
    const scale = Math.min(MOST, Math.max(this.fitScale() / 2, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.moved();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.moved();
  }

  /**
   * Bring a rectangle [x, y, width, height] of the picture into view.
   *
   * `down`: how far down its middle comes, as a share of the height; `room`: how many times its size is seen.
   */
  lookAt([left, top, width, height], { down = 0.5, room = 2.2 } = {}) {
    const most = Math.min(this.width / (width * room), (2 * down * this.height) / (height * room));
    this.scale = Math.min(4, Math.max(this.fitScale() * (down < 0.5 ? 0.5 : 1), most));
    this.x = this.width / 2 - (left + width / 2) * this.scale;
    this.y = this.height * down - (top + height / 2) * this.scale;
    this.moved();
  }

  /** A place of the window as a place of the picture, in its pixels. */
  toPicture(clientX, clientY) {
    const { left, top } = this.stage.getBoundingClientRect();
    return { x: (clientX - left - this.x) / this.scale, y: (clientY - top - this.y) / this.scale };
  }

  toStage(x, y) {
    return { x: x * this.scale + this.x, y: y * this.scale + this.y };
  }

  /** What of the picture is in view: [left, top, right, bottom], its pixels. */
  get visible() {
    const { width, height } = this.picture.version;
    return [
      Math.max(0, -this.x / this.scale),
      Math.max(0, -this.y / this.scale),
      Math.min(width, (this.width - this.x) / this.scale),
      Math.min(height, (this.height - this.y) / this.scale),
    ];
  }

  moved() {
    if (!this.picture) return;
    const [x, y] = [40, 40]; // some of the picture always stays in reach
    this.x = Math.min(this.width - x, Math.max(x - this.picture.version.width * this.scale, this.x));
    this.y = Math.min(this.height - y, Math.max(y - this.picture.version.height * this.scale, this.y));
    for (const shown of [this.picture, this.other]) shown?.lookAt(this.visible, this.scale * this.ratio);
    this.redraw();
    this.dispatchEvent(new Event("move"));
  }

  /** Draw at the next frame. */
  redraw() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#drawPicture();
      this.#drawMasks();
      this.#drawMarks();
    });
  }

  #resize() {
    const { clientWidth, clientHeight } = this.stage;
    const [dx, dy] = [
      (clientWidth - (this.width ?? clientWidth)) / 2,
      (clientHeight - (this.height ?? clientHeight)) / 2,
    ];
    const wasFitted = this.picture && Math.abs(this.scale - this.fitScale()) < 1e-6;
    [this.width, this.height] = [clientWidth, clientHeight];
    for (const canvas of this.canvases) {
      canvas.width = Math.max(1, Math.round(clientWidth * this.ratio));
      canvas.height = Math.max(1, Math.round(clientHeight * this.ratio));
    }
    if (wasFitted) this.fit();
    else if (this.picture) this.pan(dx, dy);
  }

  #context(index) {
    const canvas = this.canvases[index];
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    return context;
  }

  #drawPicture() {
    const context = this.#context(0);
    if (!this.picture) return;
    const { ratio, scale } = this;
    const place = () => context.setTransform(scale * ratio, 0, 0, scale * ratio, this.x * ratio, this.y * ratio);
    place();
    this.picture.draw(context, scale * ratio);
    if (this.heat) {
      context.imageSmoothingEnabled = true;
      context.drawImage(this.heat, 0, 0, this.picture.version.width, this.picture.version.height);
    }
    if (this.split === null || !this.other) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.save();
    context.beginPath();
    context.rect(0, 0, this.split * this.width * ratio, this.height * ratio);
    context.clip();
    place();
    this.other.draw(context, scale * ratio);
    context.restore();
  }

  #drawMasks() {
    const context = this.#context(1);
    if (!this.picture || !this.mask || !this.showMask || this.split !== null) return;
    const layers = [
      { mask: this.avoided, shown: this.showAvoided, colour: AVOIDED, hatched: true, slant: -1 },
      { mask: this.mask, colour: COLOURS[this.colour], hatched: this.hatched, slant: 1 },
    ];
    const { ratio } = this;
    const place = { x: this.x * ratio, y: this.y * ratio, scale: this.scale * ratio };
    paintMasks(
      context,
      layers.filter(({ mask, shown = true }) => shown && mask && !mask.isBlank),
      place,
    );
  }

  #drawMarks() {
    const context = this.#context(2);
    if (!this.picture) return;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    for (const mark of this.marks) mark(context, this);
  }
}
