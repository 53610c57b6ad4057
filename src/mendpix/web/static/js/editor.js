// The photo that is open, its versions and its mask, and what can be done with them. Knows the server's answers;
// knows no buttons: it tells of what happened by the events "version", "mask", "versions".

import * as api from "./api.js";
import { say } from "./busy.js";
import { History } from "./history.js";
import { Mask } from "./mask.js";
import * as maskfiles from "./maskfiles.js";
import { Shown } from "./picture.js";
import { clear } from "./shapes.js";

/** Everything about the photo that is open. */
export class Editor extends EventTarget {
  constructor(view, painter) {
    super();
    this.view = view;
    this.painter = painter;
    this.history = new History();
    this.mask = null;
    this.version = null; // what is shown: the server's facts of the picture, and how it came about
    this.versions = []; // all of this visit, oldest first
    this.saved = true;
    painter.addEventListener("step", (event) => this.remember(event.detail));
  }

  /** The photo as it was opened. */
  get original() {
    let version = this.version;
    while (version?.source) version = version.source;
    return version;
  }

  /** Remember a step that was taken on the mask. */
  remember(step) {
    if (!step) return;
    this.history.push(step);
    this.#tell("mask");
  }

  /** Open a file of the visitor. */
  async open(file, watch) {
    const onProgress = (share) => watch.onProgress(share * 0.9);
    const facts = await api.upload(file, { ...watch, onProgress });
    await this.openPicture({ ...facts, label: "Photo", source: null }, file);
  }

  /** Open a picture that the server holds already, with nothing done to it yet. */
  async openPicture(version, file = null) {
    const shown = await new Shown(version, () => this.view.redraw()).open();
    this.file = file;
    this.history.clear();
    this.#newMask(version);
    this.#add(version);
    this.#show(version, shown, true);
    this.painter.resize(Math.max(4, Math.min(version.width, version.height) * 0.05));
    this.saved = true;
  }

  #newMask({ width, height }) {
    this.mask = new Mask(width, height);
    this.mask.addEventListener("change", () => this.view.redraw());
    this.view.mask = this.painter.mask = this.mask;
  }

  #add(version) {
    if (!this.versions.includes(version)) this.versions.push(version);
    this.#tell("versions");
  }

  /** Fill the mask of the picture in view. Answers with the new version. */
  async fill(options, watch) {
    this.painter.release();
    if (this.mask.isEmpty) throw new Error("There is nothing to fill yet: paint over what should go.");
    const mask = await maskfiles.toPng(this.mask);
    const made = await this.make(this.version, mask, options, watch);
    await this.adopt(made, { label: "Fill", clearMask: true });
    return made;
  }

  /** Fill a mask of any version, and answer with the result; the editor shows what it did before. */
  async make(source, mask, { model, dilate = 0, choose = {}, label = "" }, watch) {
    const holes = Object.keys(choose).length ? choose : null;
    const answer = await api.inpaint({ picture: source.id, mask, model, dilate: dilate || null, holes }, watch);
    const made = { model, dilate, choose, mask, label: label || `Filled, ${model}` };
    return { ...answer, ...answer.picture, name: source.name, ...made, source };
  }

  /** Show a version as a step that can be undone. */
  async adopt(version, { label, clearMask = false, opens = false }) {
    const before = { version: this.version, shown: this.view.picture };
    const shown = await new Shown(version, () => this.view.redraw()).open();
    const wiped = clearMask ? clear(this.mask) : null;
    this.#add(version);
    this.#show(version, shown, opens);
    this.saved = false;
    this.history.push({
      label,
      bytes: 64 + (wiped?.bytes ?? 0),
      undo: () => {
        wiped?.undo();
        this.#show(before.version, before.shown);
      },
      redo: () => {
        wiped?.redo();
        this.#show(version, shown);
      },
    });
    for (const note of version.notes ?? []) say(note);
  }

  /** Go to an earlier version; of another photo, this begins anew. */
  async goTo(version) {
    if (version === this.version) return;
    const root = (one) => (one.source ? root(one.source) : one);
    if (root(version) === this.original) return this.adopt(version, { label: "Go to a version" });
    const shown = await new Shown(version, () => this.view.redraw()).open();
    this.file = null;
    this.history.clear();
    this.#newMask(version);
    this.#show(version, shown, true);
  }

  /** Fill the same holes again, one of them with another method. */
  async change(number, model, watch) {
    const { source, mask, choose, dilate, model: all } = this.version;
    const choices = { ...choose, [number]: model };
    const made = await this.make(source, mask, { model: all, dilate, choose: choices, label: `Hole ${number}: ${model}` }, watch);
    await this.adopt(made, { label: `Change hole ${number}` });
  }

  /** Look at the picture in view for what seems filled. */
  async judge(watch) {
    const answer = await api.detect({ picture: this.version.id }, watch);
    Object.assign(this.version, { score: answer.score, regions: answer.regions, artifacts: answer.artifacts, judged: true });
    this.#tell("version");
  }

  /** Find damage, and take it for the mask, as one step. Answers with its share of the picture. */
  async find({ preset, sensitivity }, watch) {
    const answer = await api.restore({ picture: this.version.id, preset, sensitivity, dry_run: true }, watch);
    const { step } = await maskfiles.load(this.mask, await api.blobAt(answer.mask, watch.signal), "Find damage");
    this.remember(step);
    for (const note of answer.notes ?? []) say(note);
    return answer.share;
  }

  async loadMask(blob) {
    const { step, note } = await maskfiles.load(this.mask, blob);
    this.remember(step);
    say(note || "Mask loaded: what is white will be filled.");
  }

  /** The mask as a file. */
  maskFile() {
    return maskfiles.toPng(this.mask);
  }

  #show(version, shown, fit = false) {
    this.version = version;
    this.view.show(shown, { fit });
    this.#tell("version");
    this.#tell("mask");
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}
