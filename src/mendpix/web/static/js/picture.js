// Shows one picture of the server: all of it at a moderate size, and the part in view sharply when one looks closer.
// The photo itself is never decoded here: any format that the library opens can be shown. Knows no mask.

import { blobAt, previewUrl } from "./api.js";

export const WHOLE_PX = 2048;
const PATIENCE_MS = 160;

function load(url) {
  const image = new Image();
  image.decoding = "async";
  image.src = url;
  return image.decode().then(() => image);
}

/** One picture as the view draws it. */
export class Shown {
  #timer = 0;
  #wanted = "";

  constructor(version, onSharper) {
    this.version = version;
    this.whole = null;
    this.sharp = null;
    this.onSharper = onSharper;
  }

  /** Fetch all of it at moderate size; rejects with what the server has against it. */
  async open() {
    const url = previewUrl(this.version.id, WHOLE_PX);
    try {
      this.whole = await load(url);
    } catch (error) {
      await blobAt(url); // an image element does not say why: asking once more tells
      throw error;
    }
    return this;
  }

  /** Draw into a context whose unit is the picture's pixel. */
  draw(context, scale) {
    const { width, height } = this.version;
    context.imageSmoothingEnabled = scale < 3; // single pixels are seen as squares
    context.imageSmoothingQuality = "high";
    if (this.whole) context.drawImage(this.whole, 0, 0, width, height);
    if (this.sharp) context.drawImage(this.sharp.image, ...this.sharp.box);
  }

  /** Look closer: fetch the part in view at the size of the screen, once the view has come to rest. */
  lookAt([left, top, right, bottom], scale) {
    clearTimeout(this.#timer);
    const { width, height } = this.version;
    const coarse = WHOLE_PX / Math.max(width, height);
    if (coarse >= 1 || scale <= coarse * 1.05) return;
    const margin = 64;
    const box = [Math.max(0, Math.floor(left - margin)), Math.max(0, Math.floor(top - margin))];
    box.push(
      Math.min(width, Math.ceil(right + margin)) - box[0],
      Math.min(height, Math.ceil(bottom + margin)) - box[1],
    );
    if (box[2] <= 0 || box[3] <= 0) return;
    const longer = Math.max(box[2], box[3]);
    const px = Math.max(1, Math.min(longer, Math.ceil(longer * Math.min(1, scale)), 4096));
    const url = previewUrl(this.version.id, px, box);
    if (url === this.#wanted) return;
    this.#timer = setTimeout(async () => {
      this.#wanted = url;
      try {
        const image = await load(url);
        if (this.#wanted === url) this.sharp = { image, box };
        this.onSharper();
      } catch {
        this.#wanted = ""; // the moderate size stays; the next look tries again
      }
    }, PATIENCE_MS);
  }
}
