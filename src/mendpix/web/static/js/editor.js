// The photo that is open, its versions and its mask, and what can be done with them. Knows the server's answers;
// knows no buttons: it tells of what happened by the events "version", "mask", "versions".

import { settle } from "./account.js";
import * as api from "./api.js";
import { say } from "./busy.js";
import { Corrections } from "./corrections.js";
import { History, joined } from "./history.js";
import { Mask } from "./mask.js";
import * as maskfiles from "./maskfiles.js";
import { Shown } from "./picture.js";
import { mendedName } from "./names.js";
import { clear } from "./shapes.js";

const QUIET = { signal: null, onProgress: () => {} };

/** True if a method takes what it fills with from elsewhere in the photo. */
const isCopying = (model) => model === "auto" || model.startsWith("exemplar");

/** Everything about the photo that is open. */
export class Editor extends EventTarget {
  constructor(view, painter) {
    super();
    this.view = view;
    this.painter = painter;
    this.history = new History();
    this.mask = null; // what is to be filled
    this.avoided = null; // what must not be copied from
    this.corrections = null; // what was done by hand to a mask that was found
    this.version = null; // what is shown: the server's facts of the picture, and how it came about
    this.versions = []; // all of this visit, oldest first
    this.saved = true;
    painter.addEventListener("step", (event) => this.remember(event.detail));
    this.history.addEventListener("change", () => this.mask && this.#tell("mask")); // a stroke may have been taken back
  }

  /** The photo as it was opened. */
  get original() {
    let version = this.version;
    while (version?.source) version = version.source;
    return version;
  }

  /** Remember a step that was taken on the mask. */
  remember(step) {
    if (step) this.history.push(step);
  }

  /** Change the mask as a whole, as a step; `work` gets the mask and answers with its part of the step. */
  edit(work, { begins = false } = {}) {
    const before = this.corrections && !begins ? this.mask.data.slice() : null;
    const step = work(this.mask);
    if (!step || !this.corrections) return this.remember(step);
    const also = begins ? this.corrections.restart(this.mask) : this.corrections.note(before, this.mask);
    this.remember(joined(step.label, [step, also]));
  }

  /** Let other corrections hold from now on, as a step: for a mask that is found, or spent. */
  #correct(corrections) {
    const before = this.corrections;
    const put = (one) => (this.corrections = this.painter.corrections = one);
    put(corrections);
    return { label: "", bytes: 0, undo: () => put(before), redo: () => put(corrections) };
  }

  /** Open a file of the visitor. */
  async open(file, watch) {
    const onProgress = (share) => watch.onProgress(share * 0.9);
    const facts = await api.upload(file, { ...watch, onProgress });
    await this.openPicture({ ...facts, label: "Photo", source: null, upload: file });
  }

  /** Open a picture that the server holds already, with nothing done to it yet. */
  async openPicture(version) {
    const shown = await this.shown(version);
    this.history.clear();
    this.#newMasks(version);
    this.#add(version);
    this.#show(version, shown, true);
    this.painter.resize(Math.max(4, Math.min(version.width, version.height) * 0.05));
    this.saved = true;
  }

  #newMasks({ width, height }) {
    this.painter.cancel();
    this.corrections = this.painter.corrections = null;
    for (const name of ["mask", "avoided"]) {
      this[name] = this.view[name] = this.painter[name] = new Mask(width, height);
      this[name].addEventListener("change", () => this.view.redraw());
    }
  }

  #add(version) {
    if (!this.versions.includes(version)) this.versions.push(version);
    this.#tell("versions");
  }

  /** Mark nothing any more of what must not be copied from. */
  copyFromEverywhere() {
    this.remember(clear(this.avoided, "Copy from everywhere"));
  }

  /** What must not be copied from, as a file, or null. */
  async avoidedFile() {
    return this.avoided.isEmpty ? null : maskfiles.toPng(this.avoided);
  }

  /** Fill the mask of the picture in view. Answers with the new version. */
  async fill(options, watch) {
    this.painter.release();
    if (this.mask.isEmpty) throw new Error("There is nothing to fill yet: paint over what should go.");
    const mask = await maskfiles.toPng(this.mask);
    const made = await this.make(this.version, mask, { ...options, exclude: await this.avoidedFile() }, watch);
    await this.adopt(made, { label: "Fill", clearMask: true });
    return made;
  }

  /** Fill a mask of any version, and answer with the result; the editor shows what it did before. */
  async make(source, mask, { model, label = "", isPlace = false, ...options }, watch) {
    const made = { choose: {}, dilate: 0, finish: "none", exclude: null, ...options, model, mask, source };
    const answer = await this.#fill(made, watch);
    const facts = { name: source.name, label: label || `Filled, ${model}`, isPlace };
    const version = { ...made, ...answer, ...answer.picture, ...facts };
    await settle(version, this, watch);
    return version;
  }

  /** Ask for what a version is made of. */
  #fill({ source, mask, model, choose, dilate, finish, exclude }, watch) {
    const copies = [model, ...Object.values(choose)].some(isCopying);
    const fields = { mask, model, dilate, finish, exclude: copies ? exclude : null };
    if (Object.keys(choose).length) fields.holes = choose;
    return this.holding(source, watch, () => api.inpaint({ picture: source.id, ...fields }, watch));
  }

  /** Do something with a picture of the server; if the server has let it go meanwhile, bring it back first. */
  async holding(version, watch, work) {
    try {
      return await work();
    } catch (error) {
      if (!api.isGone(error)) throw error;
      await this.#bringBack(version, watch ?? QUIET);
      say(`The server had let “${version.name}” go; it has it again.`);
      return work();
    }
  }

  /** Send a photo once more, and fill once more what was filled: the same mask and method make the same pixels. */
  async #bringBack(version, watch) {
    if (version.upload) {
      const onProgress = (share, _, ...rest) => watch.onProgress(share, "bringing back", ...rest);
      const { id } = await api.upload(version.upload, { signal: watch.signal, onProgress });
      version.id = id;
      if (version.judged) await api.detect({ picture: id }, watch);
    } else if (version.source && version.mask) {
      const { picture, ...answer } = await this.#fill(version, watch);
      Object.assign(version, { id: picture.id, artifacts: answer.artifacts, hole: answer.hole });
    } else {
      throw new Error(`The server no longer holds “${version.name}”. Open it again from your files.`);
    }
  }

  /** Load what is to be seen of a version. */
  shown(version, watch = QUIET) {
    return this.holding(version, watch, () => new Shown(version, () => this.view.redraw()).open());
  }

  /** The version in view as a file: {blob, name}. */
  async file(watch) {
    const { version } = this;
    const read = () => api.fileAt(api.fileUrl(version.id), watch.signal);
    const { blob, name } = await this.holding(version, watch, read);
    return { blob, name: mendedName(version.name, name) };
  }

  /** Show a version as a step that can be undone. */
  async adopt(version, { label, clearMask = false, opens = false }) {
    const before = { version: this.version, shown: this.view.picture };
    const shown = await this.shown(version);
    const wiped = clearMask ? joined(label, [clear(this.mask), this.#correct(null)]) : null;
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
  async goTo(version, watch) {
    if (version === this.version) return;
    const root = (one) => (one.source ? root(one.source) : one);
    if (root(version) === this.original) return this.adopt(version, { label: "Go to a version" });
    const shown = await this.shown(version, watch);
    this.history.clear();
    this.#newMasks(version);
    this.#show(version, shown, true);
  }

  /** Fill the same holes again, one of them with another method. */
  async change(number, model, watch) {
    const { source, mask, choose, dilate, finish, exclude, model: all } = this.version;
    const choices = { ...choose, [number]: model };
    const options = { model: all, dilate, finish, exclude, choose: choices, label: `Hole ${number}: ${model}` };
    const made = await this.make(source, mask, options, watch);
    await this.adopt(made, { label: `Change hole ${number}` });
  }

  /** Look at the picture in view for what seems filled. */
  async judge(watch) {
    const { version } = this;
    const answer = await this.holding(version, watch, () => api.detect({ picture: version.id }, watch));
    const { score, regions, artifacts } = answer;
    Object.assign(version, { score, regions, artifacts, judged: true });
    await settle(version, this, watch);
    this.#tell("version");
  }

  /**
   * Find damage, and take it for the mask; what was painted and erased by hand stays on top. `options`: preset,
   * sensitivity, max_area.
   *
   * @returns {share, refused, step}: refused = more was found than `max_area`, the mask shows it all the same; the step
   * is for the caller to remember
   */
  async find(options, watch) {
    const { version } = this;
    const ask = () => api.restore({ picture: version.id, ...options, dry_run: true }, watch);
    const found = await this.holding(version, watch, async () => {
      try {
        return { ...(await ask()), refused: false };
      } catch (error) {
        if (error.status !== 409 || !error.facts?.mask) throw error;
        return { ...error.facts, refused: true };
      }
    });
    const marked = await api.blobAt(found.mask, watch.signal);
    const corrections = this.corrections ?? new Corrections(this.mask);
    const { step } = await maskfiles.load(this.mask, marked, {
      label: "Find damage",
      finish: (data) => corrections.over(data),
    });
    for (const note of found.notes ?? []) say(note);
    return { ...found, step: joined("Find damage", [step, this.#correct(corrections)]) };
  }

  /** Load a mask; `mayUse` is asked with the share of its middle tones if it does not look like one. */
  async loadMask(blob, mayUse) {
    const { step, note } = await maskfiles.load(this.mask, blob, { mayUse });
    if (!step) return;
    this.edit(() => step, { begins: true });
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
