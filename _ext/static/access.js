// For the keyboard: what is too wide for the page and scrolls by itself can be reached, and so scrolled;
// a menu that closes gives the focus back to its button.
(() => {
  const SCROLLING = ".katex-display, pre, .pst-scrollable-table-container";
  const wide = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const box = target.closest(SCROLLING);
      box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
    }
  });
  const CONTENT = ".pst-scrollable-table-container > table"; // which may grow where its box cannot
  for (const block of document.querySelectorAll(`article :is(${SCROLLING}, ${CONTENT})`))
    wide.observe(block);

  const MENUS = { "pst-primary-sidebar-modal": "primary", "pst-secondary-sidebar-modal": "secondary" };
  for (const [menu, name] of Object.entries(MENUS))
    document.getElementById(menu)?.addEventListener("close", () =>
      document.querySelector(`.${name}-toggle`)?.focus(),
    );
})();
