// Makes and finds elements of the page. Knows no picture and no server.

/** Find the one element with this id; a missing one is our own mistake. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

/** Make an element. `facts` are attributes; `on…` are listeners, `text` is its text, `false` leaves one out. */
export function make(name, facts = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(facts)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Make one of the icons drawn in index.html. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Offer a file to the visitor's download folder, under a name. */
export function save(url, name) {
  const link = make("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

/** Offer bytes that the page holds itself. */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  save(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Write the value of sliders, in per cent, beside their names: in the element with the slider's id and "-value". */
export function shares(...ids) {
  for (const id of ids) {
    byId(id).addEventListener("input", () => writeShare(id));
    writeShare(id);
  }
}

/** Write the value of one such slider anew, after it was set by the page itself. */
export const writeShare = (id) => (byId(`${id}-value`).textContent = `${byId(id).value} %`);

/** True while keys belong to a field that the visitor types into. */
export function isTyping(target) {
  if (target.isContentEditable || target.matches?.("textarea, select")) return true;
  return Boolean(target.matches?.("input:not([type=range], [type=checkbox], [type=radio], [type=button])"));
}

/** A share as a per cent that a person reads: 0.034 → "3.4 %". */
export function percent(share) {
  const value = share * 100;
  return `${value > 0 && value < 0.1 ? "< 0.1" : value.toFixed(value < 10 ? 1 : 0)} %`;
}

/** Seconds as a person says them. */
export function seconds(value) {
  return value < 60
    ? `${value.toFixed(value < 10 ? 1 : 0)} s`
    : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}
