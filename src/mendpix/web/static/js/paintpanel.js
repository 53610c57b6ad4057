// The tools and what is done to the mask as a whole: buttons, sliders, the mask as a file. Knows the editor and its
// painter; paints nothing itself.

import { isBusy } from "./busy.js";
import { byId, saveBlob } from "./dom.js";
import { clear, grow, invert } from "./shapes.js";

const SMALLEST_MOST_PX = 60;

/** Wire the tools. */
export function toolButtons(editor) {
  const { painter, view } = editor;
  const buttons = [...document.querySelectorAll("[data-tool]")];
  for (const button of buttons) button.addEventListener("click", () => painter.choose(button.dataset.tool));
  painter.addEventListener("change", () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === painter.tool));
    view.stage.dataset.cursor = painter.tool === "hand" ? "grab" : "none";
    view.redraw();
  });
}

/** Wire size, hardness and pressure. */
export function brushSliders(editor) {
  const { painter } = editor;
  const size = byId("size");
  const shorter = () => (editor.version ? Math.min(editor.version.width, editor.version.height) : 800);
  const most = () => Math.max(SMALLEST_MOST_PX, shorter() / 2);
  painter.addEventListener("change", () => {
    size.value = (100 * Math.log(painter.size)) / Math.log(most()); // small sizes get most of the way
    byId("size-value").textContent = `${painter.size} px`;
    size.setAttribute("aria-valuetext", `${painter.size} pixels`);
  });
  size.addEventListener("input", () => painter.resize(most() ** (size.value / 100)));
  byId("hardness").addEventListener("input", (event) => {
    painter.hardness = event.target.value / 100;
    byId("hardness-value").textContent = `${event.target.value} %`;
  });
  byId("pressure").addEventListener("change", (event) => (painter.pressure = event.target.checked));
}

/** Wire what changes the whole mask. Answers with the steps by name: invert, clear, grow, shrink. */
export function maskButtons(editor) {
  const step = (work, how) => () => editor.mask && !isBusy() && editor.edit(work, how);
  const growBy = () => Math.max(1, Number(byId("grow-px").value) || 1);
  const steps = {
    invert: step((mask) => invert(mask)),
    clear: step((mask) => clear(mask), { begins: true }),
    grow: step((mask) => grow(mask, growBy())),
    shrink: step((mask) => grow(mask, -growBy())),
  };
  for (const [name, work] of Object.entries(steps)) byId(`mask-${name}`).addEventListener("click", work);
  byId("avoid-clear").addEventListener("click", () => editor.avoided && !isBusy() && editor.copyFromEverywhere());
  byId("mask-upload").addEventListener("click", () => byId("mask-file").click());
  byId("mask-download").addEventListener("click", async () => {
    const stem = editor.version.name.replace(/\.[^.]+$/, "");
    saveBlob(await editor.maskFile(), `${stem}-mask.png`);
  });
  return steps;
}

/** Wire the colour of the mask. */
export function maskLook({ view }) {
  byId("mask-look").addEventListener("change", (event) => {
    const [colour, look] = event.target.value.split(" ");
    Object.assign(view, { colour, hatched: look === "hatched" });
    view.redraw();
  });
}
