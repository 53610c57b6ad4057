// Packs files into a ZIP without compressing them again: pictures are compressed. Knows not where they come from.

import { crc32 } from "./png.js";

async function checksum(blob) {
  let value = 0;
  const reader = blob.stream().getReader();
  for (;;) {
    const { done, value: part } = await reader.read();
    if (done) return value;
    value = crc32(part, value);
  }
}

/** Make names differ: a second scan.png becomes scan (2).png. */
export function distinct(names) {
  const taken = new Set();
  return names.map((name) => {
    const dot = name.lastIndexOf(".");
    const [stem, suffix] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
    let candidate = name;
    for (let number = 2; taken.has(candidate.toLowerCase()); number++) candidate = `${stem} (${number})${suffix}`;
    taken.add(candidate.toLowerCase());
    return candidate;
  });
}

/** Pack `files`, a list of {name, blob}, in their order. */
export async function zip(files) {
  const names = distinct(files.map((file) => file.name)).map((name) => new TextEncoder().encode(name));
  const parts = [];
  const index = [];
  let offset = 0;
  for (const [number, { blob }] of files.entries()) {
    const sum = await checksum(blob);
    const head = (signature, before, after) => {
      // version 20, names in UTF-8, stored, 1 January 1980
      const fields = [20, 0x0800, 0, 0, 0x21];
      const bytes = new DataView(new ArrayBuffer(4 + before + 10 + 12 + 4 + after));
      bytes.setUint32(0, signature, true);
      if (before) bytes.setUint16(4, 20, true);
      let at = 4 + before;
      for (const field of fields) bytes.setUint16((at += 2) - 2, field, true);
      for (const field of [sum, blob.size, blob.size]) bytes.setUint32((at += 4) - 4, field, true);
      bytes.setUint16(at, names[number].length, true);
      return bytes;
    };
    const local = head(0x04034b50, 0, 0);
    parts.push(local.buffer, names[number], blob);
    const entry = head(0x02014b50, 2, 14);
    entry.setUint32(42, offset, true);
    index.push(entry.buffer, names[number]);
    offset += local.byteLength + names[number].length + blob.size;
  }
  const size = index.reduce((sum, part) => sum + part.byteLength, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, offset, true);
  return new Blob([...parts, ...index, end.buffer], { type: "application/zip" });
}
