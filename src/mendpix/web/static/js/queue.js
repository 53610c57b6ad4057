// Several photos, one after the other, under one policy: damage found in each, the same mask for all, or a mask for
// each by its name. Does the work and keeps the results; draws nothing. Knows the server.

import * as api from "./api.js";
import { percent } from "./dom.js";
import { scaledPng } from "./maskfiles.js";
import { mendedName, stemOf } from "./names.js";

const WAY_UP = 0.1;
const stem = (name) => stemOf(name).toLowerCase();

/** True if a file's name says that it is a mask: scan-mask.png, scan_mask.png. */
export const isMaskName = (name) => /[-_ .]mask$/.test(stem(name));

/** Photos waiting, under way, done or failed; sends "change". */
export class Queue extends EventTarget {
  items = [];
  masks = new Map(); // by the photo's name without its suffix
  sameMask = null; // Blob
  working = false;

  /** Take in files; those that are called masks are kept for the photo of that name. */
  add(files) {
    for (const file of files) {
      if (isMaskName(file.name)) this.masks.set(stem(file.name).replace(/[-_ .]mask$/, ""), file);
      else this.items.push({ file, name: file.name, state: "waiting", share: 0, words: "", result: null, blob: null });
    }
    this.#tell();
  }

  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    this.#tell();
  }

  clear() {
    this.items = [];
    this.masks.clear();
    this.#tell();
  }

  get open() {
    return this.items.filter(({ state }) => state === "waiting" || state === "failed");
  }

  get done() {
    return this.items.filter(({ state }) => state === "done");
  }

  /** Work through what is open. What fails says why and does not hold up the rest. */
  async start(policy, watch) {
    const items = this.open;
    this.working = true;
    try {
      await this.#workThrough(items, policy, watch);
    } finally {
      this.working = false;
      this.#tell();
    }
  }

  async #workThrough(items, policy, watch) {
    for (const [index, item] of items.entries()) {
      if (watch.signal.aborted) break;
      const onProgress = (share, ...rest) => {
        item.share = share ?? item.share;
        watch.onProgress((index + item.share) / items.length, ...rest);
        this.dispatchEvent(new Event("progress"));
      };
      item.share = 0;
      try {
        this.#set(item, "running", "");
        await this.#mend(item, policy, { signal: watch.signal, onProgress });
      } catch (error) {
        if (api.wasCancelled(error)) {
          this.#set(item, "waiting", "");
          throw error;
        }
        this.#set(item, "failed", error.message);
      }
    }
  }

  async #mend(item, policy, watch) {
    const { onProgress } = watch; // the way up is a small part of the work
    const upward = (share) => onProgress(share * WAY_UP);
    const source = await api.upload(item.file, { ...watch, onProgress: upward });
    watch = { ...watch, onProgress: (share, ...rest) => onProgress(WAY_UP + (1 - WAY_UP) * (share ?? 0), ...rest) };
    let answer;
    if (policy.kind === "find") {
      answer = await this.#restore(source, policy, watch);
    } else {
      const file = policy.kind === "same" ? this.sameMask : this.masks.get(stem(item.name));
      if (!file) {
        const way = policy.kind === "same" ? "Choose one first." : `Add a file named ${stem(item.name)}-mask.png.`;
        throw new Error(`There is no mask for this photo. ${way}`);
      }
      const mask = await scaledPng(file, source.width, source.height);
      answer = await api.inpaint({ picture: source.id, mask, model: policy.model }, watch);
    }
    const { blob, name } = await api.fileAt(api.fileUrl(answer.picture.id), watch.signal);
    item.blob = blob; // stays, whatever the server drops
    item.saveAs = mendedName(item.name, name);
    const before = { ...source, label: "Photo", source: null, upload: item.file };
    const made = {
      label: "From the queue",
      model: policy.model ?? "auto",
      choose: {},
      dilate: 0,
      finish: "none",
      exclude: null,
      isFound: policy.kind === "find",
    };
    item.result = { ...answer, ...answer.picture, name: source.name, ...made, source: before };
    item.result.mask = await api.blobAt(answer.hole).catch(() => null);
    const changed = answer.share === 0 ? "nothing to mend" : `${(100 * (answer.share ?? 0)).toFixed(1)} % filled`;
    const doubt = typeof answer.score === "number" ? `, doubt ${percent(answer.score)}` : "";
    this.#set(item, "done", changed + doubt);
  }

  async #restore(source, { preset, sensitivity, max_area }, watch) {
    try {
      return await api.restore({ picture: source.id, preset, sensitivity, max_area }, watch);
    } catch (error) {
      if (error.status !== 409) throw error;
      const found = `${percent(error.facts.share)} looks damaged, more than the ${percent(max_area)} allowed`;
      throw new Error(`${found}: raise the limit under More, or mend this photo by itself, by Restore.`);
    }
  }

  #set(item, state, words) {
    Object.assign(item, { state, words });
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
