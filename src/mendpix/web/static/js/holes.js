// Lists what filled each hole and why, and lets the method of one be changed. Knows the editor; draws no picture.

import { run } from "./busy.js";
import { byId, make } from "./dom.js";

/** The list of holes of the version in view. */
export class Holes {
  #looked = null;

  constructor(editor, methods) {
    this.editor = editor;
    this.methods = methods;
    this.list = byId("holes");
    editor.addEventListener("version", () => this.write());
    editor.view.marks.push((context, view) => this.#draw(context, view));
  }

  write() {
    const { version } = this.editor;
    const holes = version?.holes ?? [];
    this.#looked = null;
    byId("holes-part").hidden = !holes.length;
    byId("holes-count").textContent = holes.length > 1 ? `${holes.length} holes` : "The hole";
    this.list.replaceChildren(...holes.slice(0, 60).map((hole) => this.#row(hole, this.methods.single)));
    if (holes.length > 60) this.list.append(make("li", { text: `and ${holes.length - 60} more` }));
  }

  #row(hole, usable) {
    const select = make(
      "select",
      { "aria-label": `Method of hole ${hole.number}` },
      ...usable.map(({ name }) => make("option", { value: name, text: name, selected: name === hole.model })),
    );
    select.addEventListener("change", async () => {
      const done = await run(`Filling hole ${hole.number} again`, async (watch) => {
        await this.editor.change(hole.number, select.value, watch);
        return true;
      });
      if (!done) select.value = hole.model;
    });
    const look = (on) => () => {
      this.#looked = on ? hole.box : null;
      this.editor.view.redraw();
    };
    const find = make("button", {
      type: "button",
      class: "number",
      text: String(hole.number),
      "aria-label": `Show hole ${hole.number}`,
      onclick: () => this.editor.view.lookAt(hole.box),
    });
    return make(
      "li",
      { onpointerenter: look(true), onpointerleave: look(false), onfocusin: look(true), onfocusout: look(false) },
      find,
      select,
      make("p", { class: "fine", text: hole.why }),
    );
  }

  #draw(context, view) {
    if (!this.#looked) return;
    const [x, y, w, h] = this.#looked;
    const place = view.toStage(x, y);
    const frame = [place.x - 4, place.y - 4, w * view.scale + 8, h * view.scale + 8];
    for (const [colour, width] of [
      ["rgba(0,0,0,.8)", 4],
      ["#ffd60a", 2],
    ]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(...frame);
    }
  }
}
