// Paints masks over the picture, tinted or hatched, with a rim. Knows masks, colours and where the picture lies; knows
// no photo and no tools.

import { FILL_FROM } from "./mask.js";

/**
 * Paint masks of one picture, the last on top.
 *
 * @param layers list of {mask, colour: [red, green, blue], hatched, slant: 1 or -1}
 * @param place where the picture's corner lies and its scale, in the canvas's pixels: {x, y, scale}
 */
export function paintMasks(context, layers, place) {
  if (!layers.length) return;
  const { mask } = layers[0];
  const { width, height } = context.canvas;
  const left = Math.max(0, Math.ceil(place.x));
  const top = Math.max(0, Math.ceil(place.y));
  const right = Math.min(width, Math.floor(place.x + mask.width * place.scale));
  const bottom = Math.min(height, Math.floor(place.y + mask.height * place.scale));
  if (right <= left || bottom <= top) return;
  const image = context.createImageData(right - left, bottom - top);
  for (const layer of layers) tint(image, layer, { ...place, left, top });
  context.putImageData(image, left, top);
}

/** Sample a mask at every pixel of the screen, from the smaller copy that keeps even thin lines visible. */
function tint(image, { mask, colour, hatched, slant }, { x: x0, y: y0, scale, left, top }) {
  const pixels = new Uint32Array(image.data.buffer);
  const number = Math.min(mask.levels.length - 1, Math.max(0, Math.floor(Math.log2(1 / scale))));
  const level = mask.levels[number];
  const columns = samples(image.width, level.width, (x) => (x + left + 0.5 - x0) / scale / 2 ** number);
  const rows = samples(image.height, level.height, (y) => (y + top + 0.5 - y0) / scale / 2 ** number);
  const { inside, stripe, faint, rim } = tones(colour, hatched);
  const drift = left - Math.round(x0) + slant * (top - Math.round(y0)); // hatching moves with the picture
  const above = new Uint8Array(image.width);
  for (let y = 0; y < image.height; y++) {
    const row = rows[y] * level.width;
    const line = y * image.width;
    let before = 0;
    for (let x = 0; x < image.width; x++) {
      const value = level.data[row + columns[x]];
      const filled = value >= FILL_FROM ? 1 : 0;
      const edge = y > 0 && x > 0 && (filled !== before || filled !== above[x]);
      if (edge) pixels[line + x] = rim;
      else if (filled) pixels[line + x] = hatched && modulo(x + slant * y + drift, 9) < 3 ? stripe : inside;
      else if (value) pixels[line + x] = faint;
      before = above[x] = filled;
    }
  }
}

const modulo = (value, by) => ((value % by) + by) % by;

/** Which of `most` samples each of `count` screen pixels shows. */
const samples = (count, most, place) =>
  Int32Array.from({ length: count }, (_, index) => Math.max(0, Math.min(most - 1, Math.floor(place(index)))));

/** Colours as one number each, as a canvas keeps them. */
function tones([red, green, blue], hatched) {
  const tone = (alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  return { inside: tone(hatched ? 24 : 120), stripe: tone(210), faint: tone(45), rim: tone(255) };
}
