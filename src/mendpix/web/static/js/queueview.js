// The part of the panel that shows several photos: the list, the policy, the downloads. Knows the queue, which works.

import { previewUrl } from "./api.js";
import { fail, run, say } from "./busy.js";
import { byId, icon, make, saveBlob, shares } from "./dom.js";
import { toPng } from "./maskfiles.js";
import { zip } from "./zip.js";

const STATES = { waiting: "waiting", running: "under way", done: "done", failed: "failed" };

const counted = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;

/** Wire the panel. `modelName` tells the chosen model, `openResult` shows a result in the editor. */
export function queuePanel(queue, editor, modelName, openResult) {
  const list = byId("queue");
  const policy = byId("policy");

  const write = () => {
    list.replaceChildren(...queue.items.map(row));
    const { open, done } = queue;
    byId("queue-start").disabled = !open.length || queue.working;
    byId("queue-start").textContent = open.length
      ? `Start, ${counted(open.length, "photo")}`
      : "Start";
    byId("queue-zip").disabled = !done.length;
    byId("queue-zip").textContent = `Download ${done.length ? counted(done.length, "result") : "the results"} (ZIP)`;
    byId("queue-clear").disabled = !queue.items.length || queue.working;
    byId("queue-empty").hidden = queue.items.length > 0;
    byId("queue-count").textContent = queue.items.length ? `${done.length} of ${queue.items.length} done` : "";
  };
  const row = (item) => {
    const done = item.state === "done";
    const facts = [STATES[item.state], item.words].filter(Boolean).join(": ");
    return make(
      "li",
      { class: item.state },
      done
        ? make("img", { src: previewUrl(item.result.id, 96), alt: "", width: 44, height: 44 })
        : make("span", { class: "thumb" }),
      make(
        "span",
        { class: "grow" },
        make("strong", { text: item.name }),
        make("small", { text: facts }),
        item.state === "running"
          ? make("progress", { max: 1, value: item.share, "aria-label": `Progress of ${item.name}` })
          : null,
      ),
      done ? button("open", `Look at ${item.name}`, "pencil", () => openResult(item)) : null,
      done ? button("save", `Download ${item.name}`, "download", () => saveBlob(item.blob, item.saveAs)) : null,
      item.state === "running" ? null : button("leave", `Leave ${item.name} out`, "close", () => queue.remove(item)),
    );
  };
  const button = (name, label, picture, onclick) =>
    make(
      "button",
      { type: "button", class: `quiet ${name}`, "aria-label": label, title: label, onclick },
      icon(picture),
    );
  const showPolicy = () => {
    byId("policy-find").hidden = policy.value !== "find";
    byId("policy-same").hidden = policy.value !== "same";
    byId("policy-named").hidden = policy.value !== "named";
  };

  shares("queue-sensitivity", "queue-max-area");
  policy.addEventListener("change", showPolicy);
  queue.addEventListener("change", write);
  queue.addEventListener("progress", () => {
    for (const [index, { share }] of queue.items.entries()) {
      const bar = list.children[index]?.querySelector("progress");
      if (bar) bar.value = share;
    }
  });
  byId("queue-files").addEventListener("change", (event) => {
    queue.add(event.target.files);
    event.target.value = "";
  });
  byId("queue-mask-file").addEventListener("change", (event) => {
    queue.sameMask = event.target.files[0] ?? queue.sameMask;
    byId("queue-mask-name").textContent = queue.sameMask ? queue.sameMask.name : "";
  });
  byId("queue-mask-here").addEventListener("click", async () => {
    if (!editor.mask || editor.mask.isEmpty)
      return say("Open one of the photos and paint a mask first; then take it from here.");
    queue.sameMask = await toPng(editor.mask);
    byId("queue-mask-name").textContent = `painted on ${editor.version.name}`;
  });
  byId("queue-start").addEventListener("click", async () => {
    const preset = byId("queue-preset").value;
    const sensitivity = byId("queue-sensitivity").value / 100;
    const max_area = byId("queue-max-area").value / 100;
    const chosen = { kind: policy.value, preset, sensitivity, max_area, model: modelName() };
    await run("Working through the photos", (watch) => queue.start(chosen, watch));
    const failed = queue.items.filter(({ state }) => state === "failed").length;
    const told = `${counted(queue.done.length, "photo")} done`;
    if (failed) fail(new Error(`${told}, ${failed} failed: the list says why.`));
    else if (queue.done.length) say(`${told}.`);
  });
  byId("queue-zip").addEventListener("click", async () => {
    const packed = await zip(queue.done.map(({ saveAs, blob }) => ({ name: saveAs, blob })));
    saveBlob(packed, "mended.zip");
  });
  byId("queue-clear").addEventListener("click", () => queue.clear());
  showPolicy();
  write();
}
