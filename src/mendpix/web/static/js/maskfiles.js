// Reads masks from files and writes them: white = fill, as everywhere in mendpix. Knows no page and asks no server.

import { FILL_FROM, Mask } from "./mask.js";
import { encodeGrey } from "./png.js";

const STRIP = 256;
const MOST_MIDDLE = 0.1; // share of pixels neither near black nor near white, from which on a file is hardly a mask

/** The mask as a PNG at full size, black and white. */
export function toPng(mask) {
  const line = new Uint8Array(mask.width);
  return encodeGrey(mask.width, mask.height, (y) => {
    const row = mask.row(y);
    for (let x = 0; x < line.length; x++) line[x] = row[x] >= FILL_FROM ? 255 : 0;
    return line;
  });
}

/** Read a picture's brightness times opacity by blocks of rows: calls `take(y, bytes, count of middle tones)`. */
async function read(image, width, height, take) {
  const canvas = new OffscreenCanvas(width, STRIP);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    context.clearRect(0, 0, width, STRIP);
    context.drawImage(image, 0, -top, width, height);
    const { data } = context.getImageData(0, 0, width, rows);
    const bytes = new Uint8Array(width * rows);
    let between = 0;
    for (let index = 0; index < bytes.length; index++) {
      const at = 4 * index;
      const light = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
      const value = (light * data[at + 3]) / 255;
      bytes[index] = value >= FILL_FROM - 0.5 ? 255 : 0;
      if (value > 64 && value < 191) between++;
    }
    take(top, bytes, between);
  }
}

/**
 * Load a mask file into the mask, as one step. A file of another size but the same shape is scaled. `finish` may change
 * the pixels before they are shown; `mayUse` is asked with the share of middle tones if there are many.
 *
 * @returns {step, note}: note is a sentence if the file had another size, else ""; step is null if it may not be used
 */
export async function load(mask, blob, { label = "Load mask", finish = () => {}, mayUse = () => true } = {}) {
  let image;
  try {
    image = await createImageBitmap(blob);
  } catch {
    throw new Error("The mask must be a picture that the browser can read, such as a PNG; this file is none.");
  }
  const { width, height } = mask;
  const size = `${image.width} × ${image.height}`;
  let note = "";
  if (image.width !== width || image.height !== height) {
    const [wide, high] = [image.width / width, image.height / height];
    if (Math.abs(wide / high - 1) > 0.02) {
      image.close();
      throw new Error(
        `The mask must have the photo's shape, ${width} × ${height} px; it has ${size} px. Crop it first.`,
      );
    }
    note = `The mask had ${size} px and was scaled to the photo's ${width} × ${height}.`;
  }
  const parts = [];
  let middle = 0;
  await read(image, width, height, (top, bytes, between) => {
    parts.push([top, bytes]);
    middle += between;
  });
  image.close();
  const share = middle / (width * height);
  if (share > MOST_MIDDLE && !mayUse(share)) return { step: null, note: "" };
  const step = mask.edit(label, ({ data }) => {
    for (const [top, bytes] of parts) data.set(bytes, top * width);
    finish(data);
  });
  return { step, note };
}

/** The same mask for a photo of another size, as a PNG. */
export async function scaledPng(blob, width, height) {
  const mask = new Mask(width, height);
  await load(mask, blob);
  return toPng(mask);
}
