// The language switch: English, 中文 or both, at once, in the same place of the page, remembered.
(() => {
  const root = document.documentElement;
  const SEPARATOR = " · ";
  const NAMES = ["title", "aria-label", "placeholder", "alt", "data-bs-title", "data-bs-original-title"];
  const CHINESE = /[\u3400-\u9fff]/;

  // `English · 中文` -> what the view shows of it
  const half = (text, view) => {
    const at = text.indexOf(SEPARATOR);
    if (at < 0 || view === "both" || !CHINESE.test(text)) return text;
    return view === "zh" ? text.slice(at + SEPARATOR.length) : text.slice(0, at);
  };

  const title = document.title.split(" — ");
  const attributes = []; // those with both languages, as they were written
  for (const name of NAMES)
    for (const element of document.querySelectorAll(`[${name}*="${SEPARATOR}"]`))
      attributes.push([element, name, element.getAttribute(name)]);

  // What nobody sees waits until the others see the view: formulas for those who hear them, and the
  // page's own language, for which a browser styles it anew, though all words bear theirs.
  const finish = () => {
    root.dataset.drawn = root.dataset.view;
    const language = root.dataset.view === "zh" ? "zh-CN" : "en";
    if (root.lang !== language) root.lang = language;
  };

  const show = (view) => {
    root.dataset.view = view;
    requestAnimationFrame(() => setTimeout(finish));
    document.title = title.map((part) => half(part, view)).join(" — ");
    for (const [element, name, text] of attributes) element.setAttribute(name, half(text, view));
    for (const button of document.querySelectorAll(".language-switch button"))
      button.setAttribute("aria-pressed", String(button.value === view));
  };

  // A run of blocks in one language stands before, or after, the same run in the other: the k-th
  // belongs to the k-th.
  const run = (block, side) => {
    const blocks = [];
    for (let next = block; next?.lang === block.lang; next = next[side]) blocks.push(next);
    return blocks;
  };
  const twin = (block) => {
    const [there, back] = ["nextElementSibling", "previousElementSibling"];
    const [before, after] = block.lang === "en" ? [back, there] : [there, back];
    const place = run(block, before).length;
    const edge = run(block, after).at(-1)[after]; // where the other run begins
    if (!["en", "zh-CN"].includes(edge?.lang)) return null;
    return run(edge, after)[place - 1];
  };

  // The block under the reader's eye stays there, or its twin takes its place.
  const BLOCKS = "article.bd-article :is(section, details.solution) > *";
  const keepPlace = () => {
    if (window.scrollY === 0) return () => {};
    const eye = document.querySelector(".bd-header-article")?.getBoundingClientRect().bottom ?? 0;
    const block = [...document.querySelectorAll(BLOCKS)].find(
      (b) =>
        !b.matches("section, details.solution[open]") &&
        b.checkVisibility() &&
        b.getBoundingClientRect().bottom > eye,
    );
    if (!block) return () => {};
    const top = block.getBoundingClientRect().top;
    return () => {
      const shown = block.checkVisibility() ? block : twin(block);
      if (shown?.checkVisibility())
        window.scrollBy({ top: shown.getBoundingClientRect().top - top, behavior: "instant" });
    };
  };

  const choose = (view) => {
    try {
      localStorage.setItem("language", view);
    } catch {} // see view.js
    const address = new URL(root.dataset.both ?? location.href, location.href);
    address.searchParams.set("lang", view);
    address.hash = location.hash;
    if (root.dataset.both) return location.assign(address); // a page with one language only
    const restore = keepPlace();
    show(view);
    restore();
    history.replaceState(history.state, "", address);
  };

  for (const button of document.querySelectorAll(".language-switch button"))
    button.addEventListener("click", () => choose(button.value));
  const asked = new URLSearchParams(location.search).get("lang");
  if (!root.dataset.both && asked === root.dataset.view)
    try {
      localStorage.setItem("language", asked); // so that it follows the next link
    } catch {}
  show(root.dataset.view);
})();
