// Remembers steps that can be taken back and taken again. Knows only that a step can `undo` and `redo` itself.

const LIMIT_BYTES = 256 * 2 ** 20;

/** Several steps as one; null stands for none. */
export function joined(label, steps) {
  const taken = steps.filter(Boolean);
  if (!taken.length) return null;
  return {
    label,
    bytes: taken.reduce((sum, { bytes }) => sum + bytes, 0),
    undo: () => taken.forEach((step) => step.undo()),
    redo: () => taken.forEach((step) => step.redo()),
  };
}

/** Steps in order; a step is {label, bytes, undo(), redo()}. */
export class History extends EventTarget {
  #done = [];
  #undone = [];

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** What the next undo would take back, in words. */
  get undoLabel() {
    return this.#done.at(-1)?.label ?? "";
  }

  get redoLabel() {
    return this.#undone.at(-1)?.label ?? "";
  }

  /** Remember a step that was taken; what had been undone is forgotten, and so are the oldest steps of too many. */
  push(step) {
    this.#done.push(step);
    this.#undone.length = 0;
    let bytes = this.#done.reduce((sum, { bytes: size }) => sum + size, 0);
    while (bytes > LIMIT_BYTES && this.#done.length > 1) bytes -= this.#done.shift().bytes;
    this.#tell();
  }

  undo() {
    this.#move(this.#done, this.#undone, "undo");
  }

  redo() {
    this.#move(this.#undone, this.#done, "redo");
  }

  clear() {
    this.#done.length = 0;
    this.#undone.length = 0;
    this.#tell();
  }

  #move(from, to, verb) {
    const step = from.pop();
    if (!step) return;
    step[verb]();
    to.push(step);
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
