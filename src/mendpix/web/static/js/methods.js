// The list of methods to fill with, and what each is good for. Knows what the server has; fills nothing.

import * as api from "./api.js";
import { byId, make } from "./dom.js";

const LOOKERS = ["detector", "damage"]; // kinds of models that fill nothing
const isToCompare = ({ description }) => description.includes("to compare");
const isCopying = ({ name, description }) => name.startsWith("exemplar") || description.startsWith("copies");

/** The heading under which a method stands in the list. */
function groupOf(model) {
  if (model.kind === "choice") return "recommended";
  if (isToCompare(model)) return "to compare, not for photos";
  if (isCopying(model)) return "copying";
  return model.kind === "generator" ? "networks" : "classical";
}
const GROUPS = ["recommended", "networks", "copying", "classical", "to compare, not for photos"];

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
        text: model.name,
        disabled: !model.available,
        selected: model.default,
      });
    this.select.replaceChildren(
      ...GROUPS.map((label) => [label, this.all.filter((model) => groupOf(model) === label)])
        .filter(([, models]) => models.length)
        .map(([label, models]) => make("optgroup", { label }, ...models.map(option))),
    );
    this.#describe();
  }

  #describe() {
    const text = this.all.find(({ name }) => name === this.chosen)?.description ?? "";
    byId("model-why").textContent = text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "";
  }
}
