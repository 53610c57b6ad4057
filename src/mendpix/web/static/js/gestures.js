// Turns mouse, pen, fingers, wheel and arrow keys over the picture into painting, panning and zooming.
// Knows the view and the painter; knows no buttons and no server.

const SECOND_FINGER_MS = 250;
const LEAST_STEP_PX = 8; // a step of the arrow keys moves a small brush at least so far on the screen
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Listen to the stage. `mayPaint` tells whether painting is allowed just now; `divider` is the line between before and
 * after: while `divider.slides`, a press anywhere takes it along by `divider.put(share)`.
 */
export function listen(view, painter, mayPaint, divider) {
  const hand = new Hand(view, painter, mayPaint, divider);
  const { stage } = view;
  stage.addEventListener("pointerdown", (event) => hand.press(event));
  stage.addEventListener("pointermove", (event) => hand.move(event));
  stage.addEventListener("pointerup", (event) => hand.lift(event));
  stage.addEventListener("pointercancel", (event) => hand.lift(event));
  stage.addEventListener("pointerleave", () => hand.leave());
  stage.addEventListener("contextmenu", (event) => view.picture && event.preventDefault());
  stage.addEventListener("dblclick", () => painter.tool === "hand" && view.fit());
  stage.addEventListener("keydown", (event) => hand.key(event));
  stage.addEventListener("keyup", (event) => hand.space(event, false));
  stage.addEventListener("blur", () => hand.rest());
  stage.addEventListener("wheel", wheel(view, painter), { passive: false });
}

/** Zoom, pan or size the brush by the wheel. */
function wheel(view, painter) {
  let turned = 0;
  const resize = (by) => {
    turned += by;
    if (Math.abs(turned) < 20) return;
    painter.resize(turned < 0 ? painter.size * 1.12 + 1 : painter.size / 1.12 - 1);
    turned = 0;
  };
  return (event) => {
    if (!view.picture) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    const [across, down] = [event.deltaX * unit, event.deltaY * unit];
    if (event.altKey) resize(down);
    else if (event.shiftKey) view.pan(-(down || across), 0);
    else if (across && !event.ctrlKey)
      view.pan(-across, -down); // two fingers on a pad
    else view.zoom(Math.exp(-down * (event.ctrlKey ? 0.01 : 0.0018)), ...onStage(view, event));
  };
}

/** A place of the window as a place of the stage. */
function onStage(view, { clientX, clientY }) {
  const { left, top } = view.stage.getBoundingClientRect();
  return [clientX - left, clientY - top];
}

/** What holds the brush: pointers that are down, and the keyboard. */
class Hand {
  #pointers = new Map(); // places of the window by pointer
  #mode = null; // "paint", "pan", "slide", "pinch", or "rest" for a finger left over from a pinch
  #spaceDown = false;
  #penSeen = false;
  #pressedAt = 0;

  constructor(view, painter, mayPaint, divider) {
    this.divider = divider;
    this.view = view;
    this.painter = painter;
    this.mayPaint = mayPaint;
  }

  press(event) {
    const { view } = this;
    if (event.target.closest("button, input, .popover") || !view.picture) return;
    event.preventDefault();
    view.stage.focus({ preventScroll: true, focusVisible: false });
    view.stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#penSeen ||= event.pointerType === "pen";
    if (this.#pointers.size === 1) this.#begin(event);
    else if (this.#pointers.size === 2) this.#beginPinch();
    this.#look();
  }

  #begin(event) {
    this.#pressedAt = performance.now();
    this.#mode = this.#slides(event) ? "slide" : this.#pans(event) ? "pan" : "paint";
    if (this.#mode === "slide") this.#slide(event);
    if (this.#mode !== "paint") return;
    const erase = event.button === 2 || event.button === 5 || event.buttons === 32;
    this.painter.cursor = this.#placeOf(event);
    this.painter.press(this.#placeOf(event), { erase, straight: event.shiftKey });
  }

  /** A second finger that follows at once was meant from the start: the dab of the first goes. */
  #beginPinch() {
    const meant = performance.now() - this.#pressedAt < SECOND_FINGER_MS;
    if (this.#mode === "paint") meant ? this.painter.cancel() : this.painter.release();
    this.painter.cursor = null;
    this.#mode = "pinch";
  }

  move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      const hides = event.pointerType === "touch" || this.divider.slides;
      this.painter.cursor = hides ? null : this.#placeOf(event);
      return this.#look();
    }
    const now = { x: event.clientX, y: event.clientY };
    if (this.#mode === "paint") this.#paint(event);
    else if (this.#mode === "slide") this.#slide(event);
    else if (this.#mode === "pan") this.view.pan(now.x - before.x, now.y - before.y);
    else if (this.#mode === "pinch" && this.#pointers.size === 2) this.#pinch(event.pointerId, before, now);
    this.#pointers.set(event.pointerId, now);
    this.#look();
  }

  #paint(event) {
    const many = event.getCoalescedEvents?.() ?? [];
    for (const each of many.length ? many : [event]) this.painter.drag(this.#placeOf(each));
    this.painter.cursor = this.#placeOf(event);
  }

  #pinch(pointer, before, now) {
    const other = [...this.#pointers].find(([id]) => id !== pointer)[1];
    const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y);
    const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
    this.view.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    this.view.zoom(apart(now) / Math.max(1, apart(before)), ...onStage(this.view, middle));
  }

  lift(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#mode === "paint") event.type === "pointerup" ? this.painter.release() : this.painter.cancel();
    if (event.pointerType === "touch") this.painter.cursor = null;
    this.#mode = this.#pointers.size ? "rest" : null; // a finger left over from a pinch must not paint
    this.#look();
  }

  leave() {
    if (!this.#pointers.size) this.painter.cursor = null;
    this.view.redraw();
  }

  /** The keyboard is elsewhere now. */
  rest() {
    this.#spaceDown = false;
    if (!this.#pointers.size) this.painter.release();
  }

  key(event) {
    if (!this.view.picture || event.target !== this.view.stage || event.ctrlKey || event.metaKey) return;
    if (event.key === " ") this.space(event, true);
    else if (STEPS[event.key]) this.#step(STEPS[event.key], event);
    else if (event.key === "Enter" && this.mayPaint() && this.painter.tool !== "hand") this.#putDown();
    else if (event.key === "Escape" && this.painter.painting) this.painter.cancel();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.#look();
  }

  space(event, down) {
    if (event.key === " ") this.#spaceDown = down;
    this.#look();
  }

  /** Move brush or view by an arrow key. */
  #step([dx, dy], { altKey, shiftKey }) {
    const { view, painter } = this;
    if (altKey) return view.pan(-60 * dx, -60 * dy);
    const step = shiftKey ? 1 / view.scale : Math.max(painter.size / 3, LEAST_STEP_PX / view.scale);
    const from = painter.cursor ?? this.#middle;
    const { width, height } = view.picture.version;
    const x = Math.min(width, Math.max(0, from.x + dx * step));
    const y = Math.min(height, Math.max(0, from.y + dy * step));
    painter.cursor = { x, y, keyboard: true };
    painter.drag(painter.cursor);
    const [left, top, right, bottom] = view.visible;
    if (x < left || x > right || y < top || y > bottom) view.pan((-dx * view.width) / 3, (-dy * view.height) / 3);
  }

  /** Put the brush down, or lift it again. */
  #putDown() {
    const { painter } = this;
    painter.cursor ??= { ...this.#middle, keyboard: true };
    if (painter.painting) painter.release();
    else painter.press(painter.cursor);
  }

  /** Middle of what is in view. */
  get #middle() {
    const [left, top, right, bottom] = this.view.visible;
    return { x: (left + right) / 2, y: (top + bottom) / 2 };
  }

  #placeOf(event) {
    const force = event.pointerType === "pen" && event.pressure > 0 ? 0.25 + 0.75 * event.pressure : 1;
    return { ...this.view.toPicture(event.clientX, event.clientY), force };
  }

  /** True if a press takes the line between before and after along. */
  #slides(event) {
    return this.divider.slides && !this.#spaceDown && event.button === 0;
  }

  #slide(event) {
    this.painter.cursor = null;
    this.divider.put(onStage(this.view, event)[0] / this.view.width);
  }

  #pans(event) {
    if (this.#spaceDown || event.button === 1 || this.painter.tool === "hand" || !this.mayPaint()) return true;
    return this.#penSeen && event.pointerType === "touch"; // the hand that holds the pen rests on the glass
  }

  #look() {
    const grabs = this.#spaceDown || this.painter.tool === "hand" || !this.mayPaint();
    const slides = this.divider.slides && !this.#spaceDown && this.#mode !== "pan";
    const still = slides ? "slide" : grabs ? "grab" : "none";
    this.view.stage.dataset.cursor = this.#mode === "pan" ? "grabbing" : still;
    this.view.redraw();
  }
}
