// Puts the page together: which button does what. Knows every module; does no work of its own.

import * as api from "./api.js";
import * as busy from "./busy.js";
import { Compare } from "./compare.js";
import { byId, make, percent, save, saveBlob, seconds } from "./dom.js";
import { Doubt } from "./doubt.js";
import { Editor } from "./editor.js";
import * as files from "./files.js";
import { listen as listenToGestures } from "./gestures.js";
import { Holes } from "./holes.js";
import { Queue } from "./queue.js";
import { queuePanel } from "./queueview.js";
import { Refill } from "./refill.js";
import { restorePanel } from "./restore.js";
import { clear, grow, invert } from "./shapes.js";
import * as shortcuts from "./shortcuts.js";
import { versionStrip } from "./strip.js";
import { tabs } from "./tabs.js";
import { Painter } from "./tools.js";
import { View } from "./view.js";

const view = new View(byId("stage"), byId("layer-picture"), byId("layer-mask"), byId("layer-marks"));
const painter = new Painter();
const editor = new Editor(view, painter);
const doubt = new Doubt(editor);
const compare = new Compare(editor);
const refill = new Refill(editor, doubt);
const queue = new Queue();
const openTab = tabs();
view.marks.push((context) => painter.draw(context, view));

const canPaint = () => Boolean(editor.version) && !busy.isBusy() && !refill.isOpen && view.split === null;
listenToGestures(view, painter, canPaint);

// --- files

async function openPhotos(list) {
  if (list.length > 1) {
    queue.add(list);
    openTab("several");
    return;
  }
  if (!editor.saved && !confirm("The last result has not been downloaded. Open another photo?")) return;
  refill.close();
  await busy.run(`Opening ${list[0].name}`, (watch) => editor.open(list[0], watch));
  view.stage.focus({ preventScroll: true, focusVisible: false });
}

async function openMask(file) {
  if (editor.version) await busy.run("Loading the mask", () => editor.loadMask(file));
}

files.listen({ photos: openPhotos, mask: openMask }, () => Boolean(editor.version));
for (const id of ["open", "open-first"]) byId(id).addEventListener("click", () => byId("photo-file").click());
addEventListener("beforeunload", (event) => !editor.saved && event.preventDefault());

function download() {
  if (!editor.version) return false;
  save(api.fileUrl(editor.version.id), editor.version.name);
  editor.saved = true;
}

// --- tools

const toolButtons = [...document.querySelectorAll("[data-tool]")];
for (const button of toolButtons) button.addEventListener("click", () => painter.choose(button.dataset.tool));
const sizeSlider = byId("size");
const most = () => (editor.version ? Math.max(60, Math.min(editor.version.width, editor.version.height) / 2) : 400);
const toSlider = (size) => (100 * Math.log(size)) / Math.log(most()); // small sizes get most of the way
painter.addEventListener("change", () => {
  for (const button of toolButtons) button.setAttribute("aria-pressed", String(button.dataset.tool === painter.tool));
  sizeSlider.value = toSlider(painter.size);
  byId("size-value").textContent = `${painter.size} px`;
  sizeSlider.setAttribute("aria-valuetext", `${painter.size} pixels`);
  view.stage.dataset.cursor = painter.tool === "hand" ? "grab" : "none";
  view.redraw();
});
sizeSlider.addEventListener("input", () => painter.resize(most() ** (sizeSlider.value / 100)));
byId("hardness").addEventListener("input", (event) => {
  painter.hardness = event.target.value / 100;
  byId("hardness-value").textContent = `${event.target.value} %`;
});
byId("pressure").addEventListener("change", (event) => (painter.pressure = event.target.checked));

// --- the mask

const step = (work) => () => editor.mask && !busy.isBusy() && editor.remember(work(editor.mask));
const growBy = () => Math.max(1, Number(byId("grow-px").value) || 1);
const onMask = {
  invert: step(invert),
  clear: step(clear),
  grow: step((mask) => grow(mask, growBy())),
  shrink: step((mask) => grow(mask, -growBy())),
};
for (const [name, work] of Object.entries(onMask)) byId(`mask-${name}`).addEventListener("click", work);
byId("mask-upload").addEventListener("click", () => byId("mask-file").click());
byId("mask-download").addEventListener("click", async () => {
  const stem = editor.version.name.replace(/\.[^.]+$/, "");
  saveBlob(await editor.maskFile(), `${stem}-mask.png`);
});
byId("mask-look").addEventListener("change", (event) => {
  const [colour, look] = event.target.value.split(" ");
  Object.assign(view, { colour, hatched: look === "hatched" });
  view.redraw();
});

// --- filling

const modelSelect = byId("model");
let models = [];
async function fetchModels() {
  models.push(...(await api.models()).filter(({ kind }) => !["detector", "damage"].includes(kind)));
  const toCompare = ({ description }) => description.includes("to compare");
  const option = (model) => make("option", {
    value: model.name,
    text: model.name === "auto" ? "auto (recommended)" : model.name,
    disabled: !model.available,
    selected: model.default,
  });
  modelSelect.replaceChildren(
    make("optgroup", { label: "To use" }, ...models.filter((model) => !toCompare(model)).map(option)),
    make("optgroup", { label: "To compare" }, ...models.filter(toCompare).map(option)),
  );
  describeModel();
}
function describeModel() {
  const model = models.find(({ name }) => name === modelSelect.value);
  const text = model?.description ?? "";
  byId("model-why").textContent = text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "";
}
modelSelect.addEventListener("change", describeModel);
const holes = new Holes(editor, models);

async function fill() {
  if (!editor.version) return false;
  if (editor.mask.isEmpty) return busy.say("Nothing is marked yet: paint over what should go, then fill.");
  refill.close();
  compare.slide(false);
  const options = { model: modelSelect.value, dilate: Number(byId("dilate").value) || 0 };
  const made = await busy.run("Filling", (watch) => editor.fill(options, watch));
  if (!made) return;
  const told = `Filled in ${seconds(made.seconds)}. ${byId("score-words").textContent}`;
  if (view.width < 600) busy.say(told); // the sheet hides the result
  else byId("announce").textContent = told;
}
byId("fill").addEventListener("click", fill);
byId("fill-found").addEventListener("click", fill);
painter.addEventListener("step", () => byId("on-release").checked && painter.tool !== "eraser" && fill());
byId("cancel").addEventListener("click", busy.cancel);
byId("judge").addEventListener("click", async () => {
  const done = await busy.run("Looking for doubtful places", async (watch) => {
    await editor.judge(watch);
    return true;
  });
  if (done) doubt.toggle(true);
});

// --- what is shown

editor.history.addEventListener("change", writeHistory);
function writeHistory() {
  const { history } = editor;
  for (const [id, can, label] of [["undo", history.canUndo, history.undoLabel], ["redo", history.canRedo, history.redoLabel]]) {
    byId(id).disabled = !can;
    byId(id).title = `${id === "undo" ? "Undo" : "Redo"}${can ? `: ${label}` : ""}`;
  }
}
const undo = () => !busy.isBusy() && (refill.close(), editor.history.undo());
const redo = () => !busy.isBusy() && (refill.close(), editor.history.redo());
byId("undo").addEventListener("click", undo);
byId("redo").addEventListener("click", redo);

editor.addEventListener("version", () => {
  const { version } = editor;
  document.body.classList.toggle("has-photo", Boolean(version));
  document.body.classList.toggle("has-result", Boolean(version?.source) || Boolean(version?.judged));
  byId("welcome").hidden = Boolean(version);
  byId("facts").textContent = `${version.name} · ${version.width} × ${version.height} px · ${version.format}`;
  document.title = `${version.name} – mendpix`;
  byId("download").disabled = false;
  byId("took").textContent = version.seconds ? `${percent(version.share ?? 0)} filled in ${seconds(version.seconds)}.` : "";
});
editor.addEventListener("mask", () => {
  const empty = editor.mask.isEmpty;
  for (const id of ["fill", "fill-found", "mask-clear", "mask-grow", "mask-shrink", "mask-download"]) byId(id).disabled = empty;
  byId("hint").hidden = !empty || Boolean(editor.version.source);
  if (!empty) view.showMask = true;
});
view.addEventListener("move", () => (byId("zoom").textContent = `${Math.round(view.scale * view.ratio * 100)} %`));
const actual = () => view.zoom(1 / (view.scale * view.ratio));
const zooms = { "zoom-in": () => view.zoom(1.4), "zoom-out": () => view.zoom(1 / 1.4), fit: () => view.fit(), zoom: actual };
for (const [id, work] of Object.entries(zooms)) byId(id).addEventListener("click", work);
byId("doubt").addEventListener("click", () => doubt.toggle());
byId("download").addEventListener("click", download);

const help = byId("help-sheet");
const openHelp = () => help.open || help.showModal();
byId("help").addEventListener("click", openHelp);
byId("help-close").addEventListener("click", () => help.close());
shortcuts.writeSheet();
shortcuts.listen({
  ...Object.fromEntries(["brush", "eraser", "rectangle", "lasso", "hand"].map((tool) => [tool, () => painter.choose(tool)])),
  smaller: () => painter.resize(Math.min(painter.size - 1, painter.size / 1.2)),
  larger: () => painter.resize(Math.max(painter.size + 1, painter.size * 1.2)),
  fill,
  undo,
  redo,
  cancel: () => (busy.isBusy() ? busy.cancel() : refill.isOpen ? refill.close() : compare.slide(false)),
  invert: onMask.invert,
  clear: onMask.clear,
  hold: (on) => compare.press(on),
  slide: () => compare.toggle(),
  doubt: () => (byId("doubt").disabled ? false : doubt.toggle()),
  mask: () => ((view.showMask = !view.showMask), view.redraw()),
  zoomIn: () => view.zoom(1.4),
  zoomOut: () => view.zoom(1 / 1.4),
  fit: () => view.fit(),
  actual,
  open: () => byId("photo-file").click(),
  download,
  help: openHelp,
});

byId("sheet-handle").addEventListener("click", () => {
  const open = document.body.classList.toggle("sheet-open");
  byId("sheet-handle").setAttribute("aria-expanded", String(open));
});

restorePanel(editor);
queuePanel(queue, editor, () => modelSelect.value, async (item) => {
  await busy.run("Opening", async () => {
    const { source } = item.result;
    await editor.openPicture(source);
    await editor.adopt(item.result, { label: "From the queue" });
    editor.saved = true;
    openTab("remove");
  });
});
versionStrip(editor);
writeHistory();
painter.choose("brush");
try {
  await fetchModels();
  holes.write();
} catch (error) {
  busy.fail(error);
}
document.documentElement.dataset.ready = "true";
