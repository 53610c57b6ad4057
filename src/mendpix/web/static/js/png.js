// Writes a grey PNG of any size, row block by row block: a canvas of 24 megapixels is more than many phones allow.
// Knows the PNG format; knows no masks.

const TABLE = new Uint32Array(256).map((_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** Checksum of ISO 3309, as PNG and ZIP use it. `before` goes on with an earlier one. */
export function crc32(bytes, before = 0) {
  let value = ~before;
  for (let index = 0; index < bytes.length; index++) value = TABLE[(value ^ bytes[index]) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

function chunk(name, data) {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let index = 0; index < 4; index++) bytes[4 + index] = name.charCodeAt(index);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

/**
 * Encode a picture of one byte a pixel.
 *
 * @param rows gives the bytes of one row, from 0 = black to 255 = white
 * @returns a Blob of type image/png
 */
export async function encodeGrey(width, height, rows) {
  const perBlock = Math.max(1, Math.floor((1 << 20) / (width + 1)));
  let row = 0;
  const lines = new ReadableStream({
    pull(controller) {
      const many = Math.min(perBlock, height - row);
      if (many <= 0) return controller.close();
      const block = new Uint8Array(many * (width + 1)); // each row begins with a 0: no filter
      for (let index = 0; index < many; index++) block.set(rows(row + index), index * (width + 1) + 1);
      row += many;
      controller.enqueue(block);
    },
  });
  const packed = new Response(lines.pipeThrough(new CompressionStream("deflate")));
  const data = new Uint8Array(await packed.arrayBuffer());
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, 0, 0, 0, 0], 8); // 8 bits, grey
  const signature = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);
  const parts = [signature, chunk("IHDR", head), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))];
  return new Blob(parts, { type: "image/png" });
}
