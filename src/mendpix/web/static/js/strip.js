// The strip of versions of this visit, newest last; a click goes back to one. Knows the editor, and no steps.

import { previewUrl } from "./api.js";
import { run } from "./busy.js";
import { byId, make, percent } from "./dom.js";

/** Wire the strip. */
export function versionStrip(editor) {
  const list = byId("strip");
  const write = () => {
    list.hidden = !editor.versions.length; // from the start, so that the photo does not jump when it is filled
    list.replaceChildren(
      ...editor.versions.map((version, index) => {
        const score = typeof version.score === "number" && version.source ? `, doubt ${percent(version.score)}` : "";
        const label = version.source ? version.label : version.name;
        return make(
          "li",
          {},
          make(
            "button",
            {
              type: "button",
              title: `${label}${score}`,
              "aria-label": `Version ${index + 1}: ${label}${score}`,
              "aria-current": version === editor.version ? "true" : false,
              onclick: () => run("Going back", (watch) => editor.goTo(version, watch)),
            },
            make("img", { src: previewUrl(version.id, 160), alt: "", loading: "lazy", width: 72, height: 54 }),
          ),
        );
      }),
    );
    list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  editor.addEventListener("version", write);
  write();
}
