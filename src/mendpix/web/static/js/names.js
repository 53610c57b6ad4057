// What files are called that the page saves. Knows names only.

/** The name of a photo without its suffix. */
export const stemOf = (name) => name.replace(/\.[^.]+$/, "");

/** A name for a changed photo: the server's, unless that is the photo's own, which it must not take the place of. */
export function mendedName(name, given = "") {
  if (given && given !== name) return given;
  const stem = stemOf(name);
  return `${stem}-mended${name.slice(stem.length)}`;
}
