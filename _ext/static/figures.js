// Figures enlarge when chosen, and a link to an equation shows the equation.
(() => {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  for (const link of document.querySelectorAll("a.figure"))
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const image = link.querySelector("img").cloneNode();
      image.removeAttribute("style");
      dialog.replaceChildren(image);
      dialog.setAttribute("aria-label", image.alt);
      dialog.showModal();
    });

  let preview = null;
  const hide = () => {
    preview?.remove();
    preview = null;
  };
  const show = (link) => {
    hide();
    const equation = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!equation) return;
    preview = document.createElement("div");
    preview.className = "preview";
    preview.setAttribute("aria-hidden", "true"); // the link itself leads a screen reader there
    preview.append(equation.cloneNode(true));
    preview.firstChild.removeAttribute("id");
    document.body.append(preview);
    const at = link.getBoundingClientRect();
    const left = Math.min(at.left, innerWidth - preview.offsetWidth - 8);
    preview.style.left = `${Math.max(8, left) + scrollX}px`;
    const above = at.top - preview.offsetHeight - 6;
    preview.style.top = `${(above > 60 ? above : at.bottom + 6) + scrollY}px`;
  };
  for (const link of document.querySelectorAll('article a[href^="#eq:"]:not(.headerlink)')) {
    for (const come of ["mouseenter", "focus"]) link.addEventListener(come, () => show(link));
    for (const go of ["mouseleave", "blur", "click"]) link.addEventListener(go, hide);
  }
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
})();
