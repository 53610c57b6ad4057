// Turns mouse, pen, fingers, wheel and arrow keys over the picture into painting, panning and zooming.
// Knows the view and the painter; knows no buttons and no server.

const SECOND_FINGER_MS = 250;

/** Listen to the stage. `mayPaint` tells whether painting is allowed just now. */
export function listen(view, painter, mayPaint) {
  const { stage } = view;
  const pointers = new Map();
  let mode = null; // "paint", "pan" or "pinch"
  let spaceDown = false;
  let penSeen = false;
  let pressedAt = 0;
  let wheelled = 0;

  const placeOf = (event) => {
    const force = event.pointerType === "pen" && event.pressure > 0 ? 0.25 + 0.75 * event.pressure : 1;
    return { ...view.toPicture(event.clientX, event.clientY), force };
  };
  const look = () => {
    stage.dataset.cursor = mode === "pan" ? "grabbing" : spaceDown || painter.tool === "hand" || !mayPaint() ? "grab" : "none";
    view.redraw();
  };
  const pans = (event) =>
    spaceDown ||
    event.button === 1 ||
    painter.tool === "hand" ||
    !mayPaint() ||
    (penSeen && event.pointerType === "touch"); // the hand that holds the pen rests on the glass

  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button, input, .popover") || !view.picture) return;
    event.preventDefault();
    stage.focus({ preventScroll: true, focusVisible: false });
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    penSeen ||= event.pointerType === "pen";
    if (pointers.size === 2) {
      if (mode === "paint" && performance.now() - pressedAt < SECOND_FINGER_MS) painter.cancel();
      else if (mode === "paint") painter.release();
      painter.cursor = null;
      mode = "pinch";
    } else if (pointers.size === 1) {
      mode = pans(event) ? "pan" : "paint";
      pressedAt = performance.now();
      if (mode === "paint") {
        painter.cursor = placeOf(event);
        const erase = event.button === 2 || event.button === 5 || event.buttons === 32;
        painter.press(placeOf(event), { erase, straight: event.shiftKey });
      }
    }
    look();
  });

  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) {
      painter.cursor = event.pointerType === "touch" ? null : placeOf(event);
      return look();
    }
    const now = { x: event.clientX, y: event.clientY };
    if (mode === "paint") {
      const many = event.getCoalescedEvents?.() ?? [];
      for (const each of many.length ? many : [event]) painter.drag(placeOf(each));
      painter.cursor = placeOf(event);
    } else if (mode === "pan") {
      view.pan(now.x - before.x, now.y - before.y);
    } else if (mode === "pinch" && pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const { left, top } = stage.getBoundingClientRect();
      const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y);
      view.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
      view.zoom(apart(now) / Math.max(1, apart(before)), (now.x + other.x) / 2 - left, (now.y + other.y) / 2 - top);
    }
    pointers.set(event.pointerId, now);
    look();
  });

  const lift = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (mode === "paint") event.type === "pointerup" ? painter.release() : painter.cancel();
    if (event.pointerType === "touch") painter.cursor = null;
    mode = pointers.size ? "rest" : null; // a finger left over from a pinch must not paint
    look();
  };
  stage.addEventListener("pointerup", lift);
  stage.addEventListener("pointercancel", lift);
  stage.addEventListener("pointerleave", () => {
    if (!pointers.size) painter.cursor = null;
    view.redraw();
  });
  stage.addEventListener("contextmenu", (event) => view.picture && event.preventDefault());
  stage.addEventListener("dblclick", () => painter.tool === "hand" && view.fit());

  stage.addEventListener(
    "wheel",
    (event) => {
      if (!view.picture) return;
      event.preventDefault();
      const { left, top } = stage.getBoundingClientRect();
      const unit = event.deltaMode === 1 ? 16 : 1;
      if (event.altKey) {
        wheelled += event.deltaY * unit;
        if (Math.abs(wheelled) < 20) return;
        painter.resize(painter.size * (wheelled < 0 ? 1.12 : 1 / 1.12) + (wheelled < 0 ? 1 : -1));
        wheelled = 0;
      } else if (event.shiftKey) view.pan(-(event.deltaY || event.deltaX) * unit, 0);
      else if (event.deltaX && !event.ctrlKey) view.pan(-event.deltaX * unit, -event.deltaY * unit); // two fingers on a pad
      else view.zoom(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0018)), event.clientX - left, event.clientY - top);
    },
    { passive: false },
  );

  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  stage.addEventListener("keydown", (event) => {
    if (!view.picture || event.target !== stage || event.ctrlKey || event.metaKey) return;
    if (event.key === " ") {
      spaceDown = true;
    } else if (steps[event.key]) {
      const [dx, dy] = steps[event.key];
      if (event.altKey) view.pan(-60 * dx, -60 * dy);
      else {
        const step = event.shiftKey ? 1 / view.scale : Math.max(painter.size / 3, 8 / view.scale);
        const [left, top, right, bottom] = view.visible;
        const from = painter.cursor ?? { x: (left + right) / 2, y: (top + bottom) / 2 };
        const { width, height } = view.picture.version;
        const x = Math.min(width, Math.max(0, from.x + dx * step));
        const y = Math.min(height, Math.max(0, from.y + dy * step));
        painter.cursor = { x, y, keyboard: true };
        painter.drag(painter.cursor);
        if (x < left || x > right || y < top || y > bottom) view.pan(-dx * view.width / 3, -dy * view.height / 3);
      }
    } else if (event.key === "Enter") {
      if (!mayPaint() || painter.tool === "hand") return;
      const [left, top, right, bottom] = view.visible;
      painter.cursor ??= { x: (left + right) / 2, y: (top + bottom) / 2, keyboard: true };
      if (painter.painting) painter.release();
      else painter.press(painter.cursor);
    } else if (event.key === "Escape" && painter.painting) {
      painter.cancel();
    } else return;
    event.preventDefault();
    event.stopPropagation();
    look();
  });
  stage.addEventListener("keyup", (event) => {
    if (event.key === " ") spaceDown = false;
    look();
  });
  stage.addEventListener("blur", () => {
    spaceDown = false;
    if (!pointers.size) painter.release();
  });
}
