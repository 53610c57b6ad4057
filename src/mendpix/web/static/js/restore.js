// The part of the panel that finds damage by itself: what is found becomes the mask, to be corrected and then filled.
// Knows the editor; paints nothing.

import { isBusy, run, say } from "./busy.js";
import { byId, percent } from "./dom.js";

const PATIENCE_MS = 500;
const LARGE = 0.25;

/** Wire the panel. */
export function restorePanel(editor) {
  const [preset, slider, words] = [byId("preset"), byId("sensitivity"), byId("found")];
  let timer = 0;
  let looked = null; // the version that was looked at: from then on the slider looks again by itself

  const look = () =>
    run("Looking for damage", async (watch) => {
      const options = { preset: preset.value, sensitivity: slider.value / 100 };
      const share = await editor.find(options, watch);
      looked = editor.version;
      words.textContent = sentence(share, slider.value / 100);
      if (editor.view.width < 600) say(words.textContent); // the sheet hides it
    });
  const lookSoon = () => {
    byId("sensitivity-value").textContent = `${slider.value} %`;
    clearTimeout(timer);
    if (looked !== editor.version) return;
    timer = setTimeout(() => {
      if (isBusy()) document.addEventListener("idle", lookSoon, { once: true });
      else look();
    }, PATIENCE_MS);
  };
  byId("find").addEventListener("click", look);
  slider.addEventListener("input", lookSoon);
  preset.addEventListener("change", lookSoon);
  editor.addEventListener("version", () => {
    if (looked !== editor.version) words.textContent = "";
  });
}

function sentence(share, sensitivity) {
  if (share === 0) {
    return sensitivity < 0.9 ? "Nothing found. Raise the sensitivity, or paint the damage yourself." : "Nothing found.";
  }
  const found = `${percent(share)} of the photo is marked. `;
  if (share > LARGE) return `${found}That is much: lower the sensitivity or erase what is no damage.`;
  return `${found}Correct it with brush and eraser, then mend.`;
}
