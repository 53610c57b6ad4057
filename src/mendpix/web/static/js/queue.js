// Several photos, one after the other, under one policy: damage found in each, the same mask for all, or a mask for
// each by its name. Does the work and keeps the results; draws nothing. Knows the server.

import * as api from "./api.js";
import { percent } from "./dom.js";
import { scaledPng } from "./maskfiles.js";

const stem = (name) => name.replace(/\.[^.]+$/, "").toLowerCase();

/** True if a file's name says that it is a mask: scan-mask.png, scan_mask.png. */
export const isMaskName = (name) => /[-_ .]mask$/.test(stem(name));

/** Photos waiting, under way, done or failed; sends "change". */
export class Queue extends EventTarget {
  items = [];
  masks = new Map(); // by the photo's name without its suffix
  sameMask = null; // Blob

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
    for (const [index, item] of items.entries()) {
      if (watch.signal.aborted) break;
      const onProgress = (share, stage) => {
        item.share = share ?? 0;
        watch.onProgress((index + item.share) / items.length, stage);
        this.#tell();
      };
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
    const source = await api.upload(item.file, watch);
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
    item.blob = await api.blobAt(api.fileUrl(answer.picture.id), watch.signal); // stays, whatever the server drops
    const before = { ...source, label: "Photo", source: null, upload: item.file };
    const made = {
      label: "From the queue",
      model: policy.model ?? "auto",
      choose: {},
      dilate: 0,
      finish: "none",
      exclude: null,
    };
    item.result = { ...answer, ...answer.picture, name: source.name, ...made, source: before };
    item.result.mask = await api.blobAt(answer.hole).catch(() => null);
    const changed = answer.share === 0 ? "nothing to mend" : `${(100 * (answer.share ?? 0)).toFixed(1)} % filled`;
    const doubt = typeof answer.score === "number" ? `, doubt ${answer.score.toFixed(2)}` : "";
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
