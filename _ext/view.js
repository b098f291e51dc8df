// Before anything is drawn: the language that the address asks for, else the remembered one, else
// the browser's (pages with one language only stay as they are); and day or night.
(() => {
  const root = document.documentElement;
  const remembered = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {} // a browser that forbids it forgets the choice, nothing worse
  };
  if (!root.dataset.view) {
    const known = (view) => ["en", "zh", "both"].includes(view) && view;
    const asked = new URLSearchParams(location.search).get("lang");
    const spoken = navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en";
    root.dataset.view = known(asked) || known(remembered("language")) || spoken;
    root.lang = root.dataset.view === "zh" ? "zh-CN" : "en";
  }
  root.dataset.drawn = ""; // no view so far: see switch.js
  const night = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.mode = remembered("mode") || "auto";
  root.dataset.theme = root.dataset.mode === "auto" ? night : root.dataset.mode;
})();
