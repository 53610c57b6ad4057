// Keys, and the sheet that lists them: one table serves both. Knows actions by name only.

import { byId, isTyping, make } from "./dom.js";

// name of the action, keys, what the sheet says; the groups are the sheet's headings
const TABLE = {
  Tools: [
    ["brush", ["b"], "Brush"],
    ["eraser", ["e"], "Eraser"],
    ["rectangle", ["r"], "Rectangle"],
    ["lasso", ["l"], "Lasso"],
    ["avoid", ["x"], "Mark what must not be copied"],
    ["hand", ["h"], "Hand: move the picture"],
    ["smaller", ["["], "Smaller brush"],
    ["larger", ["]"], "Larger brush"],
  ],
  Filling: [
    ["fill", ["f"], "Fill what is marked"],
    ["undo", ["Mod+z"], "Undo a stroke or a fill"],
    ["redo", ["Mod+Shift+z", "Mod+y"], "Redo"],
    ["cancel", ["Escape"], "Cancel what is under way"],
    ["invert", ["i"], "Invert the mask"],
    ["clear", ["Delete", "Backspace"], "Clear the mask"],
  ],
  Looking: [
    ["hold", ["c"], "Hold: the photo as it was"],
    ["slide", ["s"], "Before and after, with a slider"],
    ["doubt", ["d"], "Show what looks filled"],
    ["mask", ["m"], "Hide or show the mask"],
    ["zoomIn", ["+", "="], "Zoom in"],
    ["zoomOut", ["-"], "Zoom out"],
    ["fit", ["0"], "All of the picture"],
    ["actual", ["1"], "One pixel to one"],
  ],
  Files: [
    ["open", ["Mod+o"], "Open a photo"],
    ["download", ["Mod+s"], "Download the result"],
    ["help", ["?"], "This sheet"],
  ],
};
const ALSO = [
  ["Wheel, pinch", "Zoom"],
  ["Space + drag, middle button, two fingers", "Move the picture"],
  ["Alt + wheel", "Size of the brush"],
  ["Shift + click", "Straight line from the last stroke"],
  ["Right button", "Erase"],
  ["Mod+V", "Open a copied picture"],
  ["Arrow keys on the picture", "Move the brush; with Shift one pixel, with Alt the view"],
  ["Enter on the picture", "Put the brush down, and lift it again"],
];

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const spoken = (keys) =>
  keys
    .replace("Mod", isMac ? "⌘" : "Ctrl")
    .replace(/(.) ?\+ ?(?=.)/g, "$1\u00a0+\u00a0") // one key combination stays on one line
    .replace(/\b[a-z]$/, (letter) => letter.toUpperCase());

function nameOf(event) {
  const mod = isMac ? event.metaKey : event.ctrlKey;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && /^[a-z]$/.test(key) ? "Shift+" : "";
  return `${mod ? "Mod+" : ""}${shift}${key}`;
}

/** Listen for keys. `actions` maps names to functions; `hold` gets true on the way down and false on the way up. */
export function listen(actions) {
  const byKey = new Map();
  for (const rows of Object.values(TABLE))
    for (const [action, keys] of rows) for (const key of keys) byKey.set(key, action);
  addEventListener("keydown", (event) => {
    if (event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const action = byKey.get(nameOf(event));
    if (!action) return;
    if (action === "hold") event.repeat || actions.hold(true);
    else if (actions[action]() === false) return;
    event.preventDefault();
  });
  addEventListener("keyup", (event) => byKey.get(nameOf(event)) === "hold" && actions.hold(false));
  addEventListener("blur", () => actions.hold(false));
}

/** Write the help sheet into its dialog. */
export function writeSheet() {
  const row = (keys, text) => [
    make("dt", {}, ...keys.flatMap((key, index) => [index ? " or " : "", make("kbd", { text: key })])),
    make("dd", { text }),
  ];
  const group = (title, rows) => make("section", {}, make("h3", { text: title }), make("dl", {}, ...rows.flat()));
  byId("keys").replaceChildren(
    ...Object.entries(TABLE).map(([title, rows]) =>
      group(
        title,
        rows.map(([, keys, text]) => row(keys.map(spoken), text)),
      ),
    ),
    group(
      "Mouse, fingers, and arrow keys",
      ALSO.map(([keys, text]) => row([spoken(keys)], text)),
    ),
  );
}
