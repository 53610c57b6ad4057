// The list of methods to fill with, and what each is good for. Knows what the server has; fills nothing.

import * as api from "./api.js";
import { byId, make } from "./dom.js";

const LOOKERS = ["detector", "damage"]; // kinds of models that fill nothing
const isToCompare = ({ description }) => description.includes("to compare");

/** The choice of a method. */
export class Methods {
  all = [];

  constructor() {
    this.select = byId("model");
    this.select.addEventListener("change", () => this.#describe());
  }

  get chosen() {
    return this.select.value;
  }

  /** Methods that one hole may be filled with. */
  get single() {
    return this.all.filter(({ name, available }) => available && name !== "auto");
  }

  async fetch() {
    this.all = (await api.models()).filter(({ kind }) => !LOOKERS.includes(kind));
    const option = (model) =>
      make("option", {
        value: model.name,
        text: model.name === "auto" ? "auto (recommended)" : model.name,
        disabled: !model.available,
        selected: model.default,
      });
    this.select.replaceChildren(
      make("optgroup", { label: "To use" }, ...this.all.filter((model) => !isToCompare(model)).map(option)),
      make("optgroup", { label: "To compare" }, ...this.all.filter(isToCompare).map(option)),
    );
    this.#describe();
  }

  #describe() {
    const text = this.all.find(({ name }) => name === this.chosen)?.description ?? "";
    byId("model-why").textContent = text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "";
  }
}
