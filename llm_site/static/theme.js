// Runs before the first paint, so that a remembered theme does not flash; the rest waits for the page.
(() => {
  const root = document.documentElement;
  const remembered = localStorage.getItem("theme");
  if (remembered) root.dataset.theme = remembered;
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.setAttribute("aria-pressed", isDark());
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      localStorage.setItem("theme", root.dataset.theme);
      button.setAttribute("aria-pressed", isDark());
      dispatchEvent(new Event("themechange"));
    });
  });
})();
