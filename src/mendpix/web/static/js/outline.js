// Frames what is marked, so that it is seen on any ground. Knows pixels and where the picture lies.

/** The lines between pixels that are marked and others, in the picture's pixels; `isIn(column, row)` tells. */
export function outline(width, height, isIn, scale = 1, left = 0, top = 0) {
  const path = new Path2D();
  const at = (column, row) => [left + column * scale, top + row * scale];
  const line = (from, to) => {
    path.moveTo(...from);
    path.lineTo(...to);
  };
  for (let row = 0; row <= height; row++) {
    for (let column = 0; column <= width; column++) {
      const now = column < width && row < height && isIn(column, row);
      const isBeside = column > 0 && row < height && isIn(column - 1, row);
      const isAbove = row > 0 && column < width && isIn(column, row - 1);
      if (now !== isBeside) line(at(column, row), at(column, row + 1));
      if (now !== isAbove) line(at(column, row), at(column + 1, row));
    }
  }
  return path;
}

/** Draw lines of the picture's pixels so that they are seen on any ground: light on dark. */
export function drawOutline(context, view, path) {
  context.save();
  context.translate(view.x, view.y);
  context.scale(view.scale, view.scale);
  for (const [colour, width] of [
    ["rgba(0,0,0,.85)", 3],
    ["#fff", 1.25],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = width / view.scale;
    context.stroke(path);
  }
  context.restore();
}
