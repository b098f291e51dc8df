// Before anything is drawn: the language that the address asks for, else the remembered one, else
// the browser's. Pages with one language only (data-view) stay as they are.
(() => {
  const root = document.documentElement;
  if (root.dataset.view) return;
  const known = (view) => ["en", "zh", "both"].includes(view) && view;
  let remembered = null;
  try {
    remembered = localStorage.getItem("language");
  } catch {} // a browser that forbids it forgets the choice, nothing worse
  const asked = new URLSearchParams(location.search).get("lang");
  const spoken = navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en";
  root.dataset.view = known(asked) || known(remembered) || spoken;
  root.lang = root.dataset.view === "zh" ? "zh-CN" : "en";
})();
