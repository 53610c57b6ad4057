// The tabs of the panel, as the ARIA practices describe them: arrows move, one panel is seen. Knows no content.

/** Wire the tabs; `opened` is told of each change. Answers with a function that opens one by name. */
export function tabs(opened = () => {}) {
  const all = [...document.querySelectorAll("[role=tab]")];
  const open = (tab, focus = false) => {
    for (const other of all) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    document.body.dataset.tab = tab.dataset.name;
    if (focus) tab.focus();
    opened();
  };
  for (const [index, tab] of all.entries()) {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (move) open(all[(index + move + all.length) % all.length], true);
    });
  }
  open(all[0]);
  return (name) => open(all.find((tab) => tab.dataset.name === name));
}
