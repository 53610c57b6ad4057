// Puts the page together: which button does what. Knows every module; does no work of its own.

import { settle } from "./account.js";
import * as busy from "./busy.js";
import { Compare } from "./compare.js";
import { byId, percent, saveBlob, seconds } from "./dom.js";
import { Doubt } from "./doubt.js";
import { Editor } from "./editor.js";
import * as files from "./files.js";
import { listen as listenToGestures } from "./gestures.js";
import { Holes } from "./holes.js";
import { Methods } from "./methods.js";
import { brushSliders, maskButtons, maskLook, toolButtons } from "./paintpanel.js";
import { Queue } from "./queue.js";
import { queuePanel } from "./queueview.js";
import { Refill } from "./refill.js";
import { restorePanel } from "./restore.js";
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
const methods = new Methods();
const holes = new Holes(editor, methods);
const openTab = tabs(() => editor.version && writeHint());
view.marks.push((context) => painter.draw(context, view));

const canPaint = () => Boolean(editor.version) && !busy.isBusy() && !refill.isOpen && view.split === null;
listenToGestures(view, painter, canPaint, compare);
toolButtons(editor);
brushSliders(editor);
maskLook(editor);
const maskSteps = maskButtons(editor);

// --- files

const oddMask = (share) =>
  `This hardly is a mask: ${percent(share)} of it is neither black nor white. Fill where it is bright, all the same?`;
const REPLACING =
  "The last result is not downloaded yet; it stays in the strip while this page is open. Open another photo?";

async function openPhotos(list) {
  if (list.length > 1) {
    queue.add(list);
    openTab("several");
    return;
  }
  if (!editor.saved && !confirm(REPLACING)) return;
  refill.close();
  await busy.run(`Opening ${list[0].name}`, (watch) => editor.open(list[0], watch));
  view.stage.focus({ preventScroll: true, focusVisible: false });
}

async function openMask(file) {
  if (!editor.version) return;
  await busy.run("Loading the mask", () => editor.loadMask(file, (share) => confirm(oddMask(share))));
}

const choosePhotos = () => byId("photo-file").click();
files.listen({ photos: openPhotos, mask: openMask }, () => Boolean(editor.version));
for (const id of ["open", "open-first"]) byId(id).addEventListener("click", choosePhotos);
addEventListener("beforeunload", (event) => !editor.saved && event.preventDefault());

async function download() {
  if (!editor.version?.source) return;
  const file = await busy.run("Writing the file", (watch) => editor.file(watch));
  if (!file) return;
  saveBlob(file.blob, file.name);
  editor.saved = true;
}
byId("download").addEventListener("click", download);

// --- filling

async function fill() {
  if (!editor.version) return;
  if (editor.mask.isEmpty) return busy.say("Nothing is marked yet: paint over what should go, then fill.");
  refill.close();
  compare.slide(false);
  const dilate = Math.max(0, Number(byId("dilate").value) || 0);
  const options = { model: methods.chosen, dilate, finish: byId("finish").value };
  const made = await busy.run("Filling", (watch) => editor.fill(options, watch));
  if (!made) return;
  const told = `Filled in ${seconds(made.seconds)}. ${byId("score-words").textContent}`;
  if (view.width < 600) busy.say(told); // the sheet hides the result
  byId("announce").textContent = told;
}
byId("fill").addEventListener("click", fill);
painter.addEventListener("step", ({ detail }) => byId("on-release").checked && detail.marks && fill());
byId("cancel").addEventListener("click", busy.cancel);
byId("judge").addEventListener("click", async () => {
  const work = (watch) => editor.judge(watch).then(() => true);
  if (await busy.run("Looking for doubtful places", work)) doubt.toggle(true);
});

// --- steps

function writeHistory() {
  const { canUndo, canRedo, undoLabel, redoLabel } = editor.history;
  const write = (id, can, title) => Object.assign(byId(id), { disabled: !can, title });
  write("undo", canUndo, canUndo ? `Undo: ${undoLabel}` : "Undo");
  write("redo", canRedo, canRedo ? `Redo: ${redoLabel}` : "Redo");
}
editor.history.addEventListener("change", writeHistory);

function step(verb) {
  if (busy.isBusy()) return;
  refill.close();
  editor.history[verb]();
}
for (const verb of ["undo", "redo"]) byId(verb).addEventListener("click", () => step(verb));

// --- what is shown

editor.addEventListener("version", () => {
  const { version } = editor;
  const { name, width, height, format, source, judged, share } = version;
  document.body.classList.add("has-photo");
  document.body.classList.toggle("has-result", Boolean(source) || Boolean(judged));
  byId("welcome").hidden = true;
  byId("facts").textContent = `${name} · ${width} × ${height} px · ${format}`;
  document.title = `${name} – mendpix`;
  byId("download").disabled = !source; // nothing was done to it
  byId("took").textContent = version.seconds ? `${percent(share ?? 0)} filled in ${seconds(version.seconds)}.` : "";
});

const ON_MASK = ["fill", "fill-found", "mask-clear", "mask-grow", "mask-shrink", "mask-download"];
editor.addEventListener("mask", () => {
  const empty = editor.mask.isEmpty;
  for (const id of ON_MASK) byId(id).disabled = empty;
  byId("avoid-clear").disabled = editor.avoided.isBlank;
  if (!empty || !editor.avoided.isBlank) view.showMask = true;
  showMarks();
});
painter.addEventListener("change", showMarks);

/** What must not be copied is shown while one marks or erases, and not over the result. */
function showMarks() {
  view.showAvoided = ["avoid", "eraser"].includes(painter.tool) || !editor.mask?.isEmpty;
  view.redraw();
  writeHint();
}

function writeHint() {
  const first = Boolean(editor.mask?.isEmpty) && !editor.version.source;
  const avoids = Boolean(editor.version) && painter.tool === "avoid";
  const finds = document.body.dataset.tab === "restore";
  byId("hint").hidden = !avoids && !first;
  byId("hint-fill").hidden = avoids || finds;
  byId("hint-find").hidden = avoids || !finds;
  byId("hint-avoid").hidden = !avoids;
}

const zooms = {
  "zoom-in": () => view.zoom(1.4),
  "zoom-out": () => view.zoom(1 / 1.4),
  fit: () => view.fit(),
  zoom: () => view.zoom(1 / (view.scale * view.ratio)),
};
for (const [id, work] of Object.entries(zooms)) byId(id).addEventListener("click", work);
view.addEventListener("move", () => (byId("zoom").textContent = `${Math.round(view.scale * view.ratio * 100)} %`));
byId("doubt").addEventListener("click", () => doubt.toggle());

function leave() {
  if (busy.isBusy()) busy.cancel();
  else if (refill.isOpen) refill.close();
  else compare.slide(false);
}

function hideMask() {
  view.showMask = !view.showMask;
  view.redraw();
}

function openSheet(open) {
  document.body.classList.toggle("sheet-open", open);
  byId("sheet-handle").setAttribute("aria-expanded", String(open));
}
byId("sheet-handle").addEventListener("click", () => openSheet(!document.body.classList.contains("sheet-open")));
byId("avoid").addEventListener("click", () => openSheet(false)); // on a phone the sheet hides what is to be painted

// --- keys

const help = byId("help-sheet");
const openHelp = () => help.open || help.showModal();
byId("help").addEventListener("click", openHelp);
byId("help-close").addEventListener("click", () => help.close());
const tools = ["brush", "eraser", "rectangle", "lasso", "avoid", "hand"];
shortcuts.writeSheet();
shortcuts.listen({
  ...Object.fromEntries(tools.map((tool) => [tool, () => painter.choose(tool)])),
  smaller: () => painter.resize(Math.min(painter.size - 1, painter.size / 1.2)),
  larger: () => painter.resize(Math.max(painter.size + 1, painter.size * 1.2)),
  fill: () => (editor.version ? fill() : false),
  undo: () => step("undo"),
  redo: () => step("redo"),
  cancel: leave,
  invert: maskSteps.invert,
  clear: maskSteps.clear,
  hold: (on) => compare.press(on),
  slide: () => compare.toggle(),
  doubt: () => (byId("doubt").disabled ? false : doubt.toggle()),
  mask: hideMask,
  zoomIn: zooms["zoom-in"],
  zoomOut: zooms["zoom-out"],
  fit: zooms.fit,
  actual: zooms.zoom,
  open: choosePhotos,
  download: () => (editor.version ? download() : false), // the browser's own would save the page
  help: openHelp,
});

// --- other parts of the panel

async function lookAt(item) {
  await busy.run("Opening", async (watch) => {
    await editor.openPicture(item.result.source);
    await settle(item.result, editor, watch);
    await editor.adopt(item.result, { label: "From the queue" });
    editor.saved = true;
    openTab(item.result.isFound ? "restore" : "remove");
  });
}

restorePanel(editor, fill);
queuePanel(queue, editor, () => methods.chosen, lookAt);
versionStrip(editor);
writeHistory();
painter.choose("brush");
try {
  await methods.fetch();
  holes.write();
} catch (error) {
  busy.fail(error);
}
document.documentElement.dataset.ready = "true";
