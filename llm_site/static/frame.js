// The theme and the side menu of every page, the admin's too. What is remembered is set before the first paint.
(() => {
  const root = document.documentElement;
  const remembered = JSON.parse(localStorage.getItem("adminTheme") ?? '"auto"'); // where the admin's own script looks
  if (remembered !== "auto") root.dataset.theme = remembered;
  if (localStorage.getItem("menu") === "folded") root.dataset.menu = "folded";

  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  function choose(theme) {
    root.dataset.theme = theme;
    localStorage.setItem("adminTheme", JSON.stringify(theme));
    if (window.Alpine) Alpine.$data(root).switchTheme(theme);
    dispatchEvent(new Event("themechange"));
  }

  function fold(isFolded) {
    if (isFolded) root.dataset.menu = "folded";
    else delete root.dataset.menu;
    localStorage.setItem("menu", isFolded ? "folded" : "open");
  }

  // The admin's script has a shortcut for the theme that knows nothing of ours.
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "e") event.stopImmediatePropagation();
  });

  // The admin's field for several rows hangs labels on spans, which may have none without a role.
  addEventListener("load", () => setTimeout(() => {
    for (const tip of document.querySelectorAll(".help-tooltip")) tip.setAttribute("role", "img");
  }));

  addEventListener("DOMContentLoaded", () => {
    const theme = document.getElementById("theme");
    if (!theme) return; // a window of the admin's that has no frame
    theme.setAttribute("aria-pressed", isDark());
    theme.hidden = false;
    theme.addEventListener("click", () => {
      choose(isDark() ? "light" : "dark");
      theme.setAttribute("aria-pressed", isDark());
    });

    const folding = document.getElementById("menu-fold");
    folding.setAttribute("aria-expanded", root.dataset.menu !== "folded");
    folding.addEventListener("click", () => {
      fold(root.dataset.menu !== "folded");
      folding.setAttribute("aria-expanded", root.dataset.menu !== "folded");
    });

    // The menu begins at its top where the current entry is in sight then; the page itself stays where it is.
    const entries = document.querySelector(".entries");
    const current = entries.querySelector("[aria-current]");
    const showCurrent = () => {
      if (current) entries.scrollTop = current.offsetTop + current.offsetHeight + 8 - entries.clientHeight;
    };
    showCurrent();

    const more = document.getElementById("menu-more");
    const open = (isOpen) => {
      document.getElementById("menu").classList.toggle("open", isOpen);
      more.setAttribute("aria-expanded", isOpen);
      if (isOpen) showCurrent();
    };
    more.addEventListener("click", () => open(more.getAttribute("aria-expanded") === "false"));

    const user = document.querySelector("details.user");
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      open(false);
      if (user?.open) user.open = false;
    });
    addEventListener("click", (event) => {
      for (const drop of document.querySelectorAll("details.user[open], .actions details[open]")) {
        if (!drop.contains(event.target)) drop.open = false;
      }
    });
  });
})();
