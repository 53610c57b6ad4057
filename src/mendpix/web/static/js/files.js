// Lets files in: by button, by dropping them, by pasting. Says only what came; what becomes of it is up to who listens.

import { byId } from "./dom.js";

/** Listen. `take.photos(files)`, `take.mask(file)`; `isOpen()` tells whether there is a photo for a mask. */
export function listen(take, isOpen) {
  const drop = byId("drop");
  let depth = 0;
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const leave = () => {
    depth = 0;
    drop.hidden = true;
  };
  addEventListener("dragenter", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth++;
    byId("drop-mask").hidden = !isOpen();
    drop.hidden = false;
  });
  addEventListener("dragleave", () => --depth <= 0 && leave());
  addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    for (const half of drop.children) half.classList.toggle("over", half.contains(event.target));
  });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    const asMask = isOpen() && files.length === 1 && byId("drop-mask").contains(event.target);
    leave();
    if (asMask) take.mask(files[0]);
    else if (files.length) take.photos(files);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take.photos(files);
  });
  const chosen = (id, use) =>
    byId(id).addEventListener("change", (event) => {
      const files = [...event.target.files];
      event.target.value = ""; // the same file may be chosen again
      if (files.length) use(files);
    });
  chosen("photo-file", (files) => take.photos(files));
  chosen("mask-file", ([file]) => take.mask(file));
}
