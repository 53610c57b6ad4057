// Draws into a mask at full resolution: strokes, rectangles, outlines; and grows, shrinks and turns it over.
// Knows pixels; knows no pointer and no screen.

import { FILL_FROM, united } from "./mask.js";

/**
 * Lay a stroke from one point to another, as a round brush does.
 *
 * A hard brush sets what it covers. A soft one (hardness below 1) gives its rim part of the strength, so that the edge
 * moves outward the more often one paints over it; within one step it does not add up.
 */
export function stroke(mask, from, to, { erase = false, hardness = 1 }) {
  const most = Math.max(from.radius, to.radius);
  const box = mask.clipped([
    Math.min(from.x, to.x) - most - 1,
    Math.min(from.y, to.y) - most - 1,
    Math.max(from.x, to.x) + most + 1,
    Math.max(from.y, to.y) + most + 1,
  ]);
  const [left, top, right, bottom] = box;
  if (right <= left || bottom <= top) return;
  mask.touch(box);
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length2 = dx * dx + dy * dy;
  for (let y = top; y < bottom; y++) {
    const row = y * mask.width;
    for (let x = left; x < right; x++) {
      const [px, py] = [x + 0.5 - from.x, y + 0.5 - from.y];
      const along = length2 ? Math.min(1, Math.max(0, (px * dx + py * dy) / length2)) : 0;
      const [ox, oy] = [px - along * dx, py - along * dy];
      const radius = from.radius + along * (to.radius - from.radius);
      const distance2 = ox * ox + oy * oy;
      if (distance2 > radius * radius) continue;
      if (hardness >= 1) {
        mask.data[row + x] = erase ? 0 : 255;
        continue;
      }
      const core = radius * hardness;
      const distance = Math.sqrt(distance2);
      const strength = distance <= core ? 255 : Math.round(255 * (1 - (distance - core) / (radius - core)));
      const was = mask.before(x, y);
      const now = mask.data[row + x];
      mask.data[row + x] = erase
        ? Math.min(now, Math.max(0, was - strength))
        : Math.max(now, Math.min(255, was + strength));
    }
  }
  mask.changed(box);
}

/** Fill the inside of an outline (a list of {x, y}), by the even-odd rule. */
export function polygon(mask, points, { erase = false } = {}) {
  if (points.length < 3) return;
  let box = null;
  for (const { x, y } of points) box = united(box, [x, y, x + 1, y + 1]);
  const [left, top, right, bottom] = mask.clipped(box);
  if (right <= left || bottom <= top) return;
  mask.touch([left, top, right, bottom]);
  for (let y = top; y < bottom; y++) {
    const level = y + 0.5;
    const crossings = [];
    for (let index = 0; index < points.length; index++) {
      const [a, b] = [points[index], points[(index + 1) % points.length]];
      if (a.y <= level === b.y <= level) continue;
      crossings.push(a.x + ((level - a.y) / (b.y - a.y)) * (b.x - a.x));
    }
    crossings.sort((one, other) => one - other);
    for (let index = 0; index + 1 < crossings.length; index += 2) {
      const first = Math.max(0, Math.round(crossings[index]));
      const last = Math.min(mask.width, Math.round(crossings[index + 1]));
      if (last > first) mask.data.fill(erase ? 0 : 255, y * mask.width + first, y * mask.width + last);
    }
  }
  mask.changed([left, top, right, bottom]);
}

/** Fill a rectangle between two corners. */
export function rectangle(mask, one, other, options) {
  const [left, right] = [Math.round(Math.min(one.x, other.x)), Math.round(Math.max(one.x, other.x))];
  const [top, bottom] = [Math.round(Math.min(one.y, other.y)), Math.round(Math.max(one.y, other.y))];
  const corners = [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ].map(([x, y]) => ({ x, y }));
  if (right > left && bottom > top) polygon(mask, corners, options);
}

/** Grow (px > 0) or shrink (px < 0) the mask by a disc. Answers with the step, or null. */
export function grow(mask, px) {
  const around = mask.box;
  if (!around || !px) return null;
  const radius = Math.min(Math.abs(px), 254);
  const out = mask.clipped([
    around[0] - radius - 1,
    around[1] - radius - 1,
    around[2] + radius + 1,
    around[3] + radius + 1,
  ]);
  const label = px > 0 ? `Grow by ${radius} px` : `Shrink by ${radius} px`;
  return mask.edit(label, () => spread(mask, out, radius, px > 0), out);
}

/** Write `wanted` (fill or keep) wherever it lies within a disc: down the columns first, then along each row. */
function spread(mask, [left, top, right, bottom], radius, fill) {
  const [width, height] = [right - left, bottom - top];
  const far = radius + 1;
  const near = new Uint8Array(width * height).fill(far); // rows to the nearest wanted pixel of the column
  const wanted = (x, y) => mask.data[(top + y) * mask.width + left + x] >= FILL_FROM === fill;
  for (let x = 0; x < width; x++) {
    for (let y = 0, away = far; y < height; y++) {
      away = wanted(x, y) ? 0 : Math.min(far, away + 1);
      near[y * width + x] = away;
    }
    for (let y = height - 1, away = far; y >= 0; y--) {
      away = Math.min(far, away + 1, near[y * width + x]);
      near[y * width + x] = away;
    }
  }
  const reach = Int32Array.from({ length: radius + 1 }, (_, rows) =>
    Math.floor(Math.sqrt(radius * radius - rows * rows)),
  );
  const starts = new Int32Array(width + 1);
  for (let y = 0; y < height; y++) {
    starts.fill(0);
    for (let x = 0; x < width; x++) {
      const away = near[y * width + x];
      if (away > radius) continue;
      starts[Math.max(0, x - reach[away])]++;
      starts[Math.min(width, x + reach[away] + 1)]--;
    }
    for (let x = 0, open = 0; x < width; x++) {
      open += starts[x];
      mask.data[(top + y) * mask.width + left + x] = open > 0 === fill ? 255 : 0;
    }
  }
}

/** Turn keep into fill and fill into keep. */
export const invert = (mask) =>
  mask.edit("Invert mask", ({ data }) => {
    for (let index = 0; index < data.length; index++) data[index] = data[index] >= FILL_FROM ? 0 : 255;
  });

/** Keep all. */
export function clear(mask, label = "Clear mask") {
  return mask.isBlank ? null : mask.edit(label, ({ data }) => data.fill(0));
}
