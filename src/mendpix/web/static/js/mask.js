// The mask at the picture's full resolution, one byte a pixel: 255 = fill, from 128 up counts. Keeps what a step
// changed, tile by tile, and smaller copies to draw from. Knows no brushes, no screen and no server.

const TILE = 256;
export const FILL_FROM = 128;

/** A mask of a picture; sends "change" with the rectangle that changed. */
export class Mask extends EventTarget {
  #record = null;

  constructor(width, height) {
    super();
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height);
    this.across = Math.ceil(width / TILE);
    this.levels = [{ width, height, data: this.data }];
    for (let level = this.levels[0]; Math.max(level.width, level.height) > 512; level = this.levels.at(-1)) {
      const [w, h] = [Math.ceil(level.width / 2), Math.ceil(level.height / 2)];
      this.levels.push({ width: w, height: h, data: new Uint8Array(w * h) });
    }
  }

  /** Begin a step; what `touch` names from now on can be taken back. */
  begin() {
    this.#record = new Map();
  }

  /** True between `begin` and `end`. */
  get recording() {
    return this.#record !== null;
  }

  /** End a step. Answers with what brings the former state back, or null if nothing was touched. */
  end(label) {
    const before = this.#record;
    this.#record = null;
    if (!before?.size) return null;
    let bytes = 0;
    for (const [index, tile] of before) {
      const even = tile.every((value) => value === tile[0]);
      if (even) before.set(index, tile[0]);
      bytes += even ? 8 : tile.length;
    }
    const swap = () => {
      let changed = null;
      for (const [index, tile] of before) {
        const box = this.#boxOf(index);
        before.set(index, this.#copy(box));
        this.#paste(box, tile);
        changed = united(changed, box);
      }
      this.changed(changed);
    };
    return { label, bytes, undo: swap, redo: swap };
  }

  /** Take back what the step that is under way has done, and end it. */
  drop() {
    this.end("")?.undo();
  }

  /** Say that a rectangle [left, top, right, bottom] is about to be changed. */
  touch(box) {
    if (!this.#record) return;
    const [left, top, right, bottom] = this.clipped(box);
    if (right <= left || bottom <= top) return;
    for (let row = Math.floor(top / TILE); row * TILE < bottom; row++) {
      for (let column = Math.floor(left / TILE); column * TILE < right; column++) {
        const index = row * this.across + column;
        if (!this.#record.has(index)) this.#record.set(index, this.#copy(this.#boxOf(index)));
      }
    }
  }

  /** What a pixel of a touched tile was before this step. */
  before(x, y) {
    const index = Math.floor(y / TILE) * this.across + Math.floor(x / TILE);
    const tile = this.#record?.get(index);
    if (!tile) return this.data[y * this.width + x];
    const [left, top, right] = this.#boxOf(index);
    return tile[(y - top) * (right - left) + (x - left)];
  }

  /** Say that a rectangle has been changed: smaller copies follow, and whoever draws is told. */
  changed(box) {
    if (!box) return;
    let [left, top, right, bottom] = this.clipped(box);
    if (right <= left || bottom <= top) return;
    const detail = [left, top, right, bottom];
    for (let number = 1; number < this.levels.length; number++) {
      const [from, to] = [this.levels[number - 1], this.levels[number]];
      [left, top, right, bottom] = [left >> 1, top >> 1, (right + 1) >> 1, (bottom + 1) >> 1];
      for (let y = top; y < bottom; y++) {
        const first = 2 * y * from.width;
        const second = Math.min(2 * y + 1, from.height - 1) * from.width;
        for (let x = left; x < right; x++) {
          const a = 2 * x;
          const b = Math.min(a + 1, from.width - 1);
          const { data } = from;
          to.data[y * to.width + x] = Math.max(data[first + a], data[first + b], data[second + a], data[second + b]);
        }
      }
    }
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }

  /** True if nothing would be filled. */
  get isEmpty() {
    const { data } = this.levels.at(-1);
    return !data.some((value) => value >= FILL_FROM);
  }

  /** True if there is no mark at all, however faint. */
  get isBlank() {
    return !this.levels.at(-1).data.some(Boolean);
  }

  /** Share of the picture that would be filled. */
  get share() {
    let count = 0;
    for (const value of this.data) count += value >> 7;
    return count / this.data.length;
  }

  /** Tight rectangle around what would be filled, or null. */
  get box() {
    let [left, top, right, bottom] = [this.width, this.height, 0, 0];
    for (let y = 0; y < this.height; y++) {
      const row = this.row(y);
      let first = 0;
      while (first < row.length && row[first] < FILL_FROM) first++;
      if (first === row.length) continue;
      let last = row.length - 1;
      while (row[last] < FILL_FROM) last--;
      [left, right] = [Math.min(left, first), Math.max(right, last + 1)];
      [top, bottom] = [Math.min(top, y), y + 1];
    }
    return right ? [left, top, right, bottom] : null;
  }

  /** The bytes of one row, not copied. */
  row(y) {
    return this.data.subarray(y * this.width, (y + 1) * this.width);
  }

  /** Change all of it as one step: `work` gets the mask and may write into `data`. Answers with the step. */
  edit(label, work, box = [0, 0, this.width, this.height]) {
    this.begin();
    this.touch(box);
    work(this);
    const step = this.end(label);
    this.changed(box);
    return step;
  }

  clipped([left, top, right, bottom]) {
    return [
      Math.max(0, Math.floor(left)),
      Math.max(0, Math.floor(top)),
      Math.min(this.width, Math.ceil(right)),
      Math.min(this.height, Math.ceil(bottom)),
    ];
  }

  #boxOf(index) {
    const [left, top] = [(index % this.across) * TILE, Math.floor(index / this.across) * TILE];
    return [left, top, Math.min(left + TILE, this.width), Math.min(top + TILE, this.height)];
  }

  #copy([left, top, right, bottom]) {
    const tile = new Uint8Array((right - left) * (bottom - top));
    for (let y = top; y < bottom; y++) {
      tile.set(this.data.subarray(y * this.width + left, y * this.width + right), (y - top) * (right - left));
    }
    return tile;
  }

  #paste([left, top, right, bottom], tile) {
    for (let y = top; y < bottom; y++) {
      const at = y * this.width + left;
      if (typeof tile === "number") this.data.fill(tile, at, at + right - left);
      else this.data.set(tile.subarray((y - top) * (right - left), (y + 1 - top) * (right - left)), at);
    }
  }
}

/** Smallest rectangle around two; null stands for none. */
export function united(one, other) {
  if (!one || !other) return one ?? other;
  const [a, b] = [one, other];
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}
