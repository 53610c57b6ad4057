// Keeps account of what looks filled in all that was filled so far: each fill replaces, in its hole, what the detector
// said before. Knows the server's maps and holes; draws nothing.

import { artifactsUrl, blobAt, holeUrl } from "./api.js";

const MAP_PX = 1536;
export const DOUBTFUL = 128;

const known = new WeakMap(); // accounts by version

/** The brightness of a grey picture, one byte a pixel. */
async function plane(blob, width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  const bitmap = await createImageBitmap(blob);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const bytes = new Uint8Array(width * height);
  for (let index = 0; index < bytes.length; index++) bytes[index] = data[4 * index];
  return bytes;
}

/** True if what a version was made of counts as well: it was filled, or a place of it was mended. */
const goesOn = ({ source, isPlace }) => Boolean(source) && Boolean(source.source || (isPlace && source.artifacts));

/**
 * What the detector says about all holes of a version, and the versions before it.
 *
 * @returns {width, height, map, hole}: of a smaller copy, one byte a pixel; 255 = surely filled, and = was filled
 */
export function accountOf(version, editor, watch) {
  if (!known.has(version)) {
    const account = make(version, editor, watch);
    known.set(version, account);
    account.catch(() => known.delete(version)); // asked again, it may be there
  }
  return known.get(version);
}

async function make(version, editor, watch) {
  const small = Math.min(1, MAP_PX / Math.max(version.width, version.height));
  const width = Math.max(1, Math.round(version.width * small));
  const height = Math.max(1, Math.round(version.height * small));
  const read = async (url) => {
    const blob = await editor.holding(version, watch, () => blobAt(url(version.id, MAP_PX), watch?.signal));
    return plane(blob, width, height);
  };
  const isNone = !version.artifacts;
  const map = isNone ? new Uint8Array(width * height) : await read(artifactsUrl);
  const hole = version.source && version.hole ? await read(holeUrl) : new Uint8Array(width * height).fill(255);
  if (!goesOn(version)) return { width, height, map, hole };
  const before = await accountOf(version.source, editor, watch);
  for (let index = 0; index < map.length; index++) {
    const rest = 255 - hole[index];
    map[index] = Math.min(255, map[index] + Math.round((before.map[index] * rest) / 255));
    hole[index] = Math.max(hole[index], before.hole[index]);
  }
  return { width, height, map, hole };
}

/** Score and places of a version, of all that was filled so far. Places keep the numbers that they had. */
export async function settle(version, editor, watch) {
  if (!version.artifacts) return;
  const own = (version.regions ?? []).map((region) => ({ ...region }));
  const { source } = version;
  if (!goesOn(version)) {
    version.regions = numbered(own, []);
    return;
  }
  const account = await accountOf(version, editor, watch);
  const sum = (bytes) => bytes.reduce((total, value) => total + value, 0);
  version.score = sum(account.map) / Math.max(1, sum(account.hole));
  const before = await accountOf(source, editor, watch);
  const kept = [];
  const gone = [];
  for (const region of source.regions ?? []) {
    const pixels = maskIn(before, region, version);
    const anew = pixels.filter((index) => account.map[index] !== before.map[index]).length;
    if (anew > pixels.length / 2) gone.push(region);
    else kept.push(anew ? { ...region, mean: meanIn(account, pixels) } : region);
  }
  version.regions = [...kept, ...numbered(own, gone, kept)].sort((one, other) => one.number - other.number);
}

/** Number regions: those that lie where one of `before` lay take its number, others the next that is free. */
function numbered(regions, before, taken = []) {
  const used = new Set([...before, ...taken].map(({ number }) => number));
  const free = [...before];
  let next = 1;
  for (const region of regions) {
    const place = free.findIndex(({ box }) => overlap(box, region.box) > 0);
    if (place >= 0) region.number = free.splice(place, 1)[0].number;
    else {
      while (used.has(next)) next++;
      used.add(next);
      region.number = next;
    }
  }
  return regions;
}

function overlap([x, y, w, h], [left, top, width, height]) {
  const across = Math.min(x + w, left + width) - Math.max(x, left);
  const down = Math.min(y + h, top + height) - Math.max(y, top);
  return Math.max(0, across) * Math.max(0, down);
}

/** The doubtful pixels of a region, as indices into the account's planes. */
export function maskIn({ width, height, map }, { box: [x, y, w, h] }, version) {
  const small = width / version.width;
  const found = [];
  const bottom = Math.min(height, Math.ceil((y + h) * small));
  const right = Math.min(width, Math.ceil((x + w) * small));
  for (let row = Math.max(0, Math.floor(y * small)); row < bottom; row++) {
    for (let column = Math.max(0, Math.floor(x * small)); column < right; column++) {
      if (map[row * width + column] >= DOUBTFUL) found.push(row * width + column);
    }
  }
  return found;
}

/** Mean doubt over some pixels, 0 to 1. */
export const meanIn = ({ map }, pixels) =>
  pixels.reduce((total, index) => total + map[index], 0) / Math.max(1, 255 * pixels.length);
