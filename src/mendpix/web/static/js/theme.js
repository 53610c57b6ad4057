// Sets dark or light before the page is drawn, so that nothing flashes. A plain script; knows only the switch.
(() => {
  const key = "mendpix-theme";
  const read = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage is shut in private windows: the system's own choice holds
    }
  };
  const chosen = read();
  if (chosen) document.documentElement.dataset.theme = chosen;
  const isDark = () => {
    const now = document.documentElement.dataset.theme;
    return now ? now === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => button.setAttribute("aria-pressed", String(isDark()));
    label();
    button.addEventListener("click", () => {
      const next = isDark() ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      try {
        localStorage.setItem(key, next);
      } catch {
        // the choice then lasts as long as the page
      }
      label();
    });
  });
})();
