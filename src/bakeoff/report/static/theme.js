// Runs before anything is painted: tells the styles that scripts run, and which theme was chosen.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const chosen = localStorage.getItem("bakeoff-theme");
    if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  } catch {
    // Storage is closed to this page: the system's theme holds.
  }
})();
