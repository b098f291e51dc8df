// KaTeX' tree of a formula with about half its elements and the same look: pages have hundreds of
// formulas, and a browser that shows the other language styles and places each element anew.

// Classes that no rule of KaTeX' style sheet asks for.
const NAMES = new Set("mord mbin mrel mop mopen mclose mpunct minner mtight text".split(" "));
const SIZES = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.44, 1.728, 2.074, 2.488]; // of size1, size2, …
// How far a line of KaTeX' main font reaches from its baseline without a strut, in em.
const LINE = { above: 0.8, below: 0.25 };

const has = (node, name) => node.classes?.includes(name);
const isSymbol = (node) => node?.text !== undefined;
const isSpace = (node) => has(node, "mspace") && !node.children.length;
const isGroup = (node) => !isSymbol(node) && !node.attributes; // writes its children alone
const unnamed = (classes) => classes.filter((name) => name && !NAMES.has(name));
const em = (length) => Number.parseFloat(length ?? 0);
const inEm = (number) => `${+number.toFixed(4)}em`;

const widen = (node, side, by) => {
  if (side === "Right" && node.italic) {
    node.style.marginRight = inEm(node.italic); // as KaTeX writes it
    node.italic = 0;
  }
  const name = `margin${side}`;
  if (by) node.style[name] = inEm(em(node.style[name]) + by);
};

// A space is an empty element; it becomes a margin of the symbol after it or, where this completes
// an operator with a space on either side, before it.
const withoutSpaces = (nodes) =>
  nodes.filter((node, k) => {
    if (!isSpace(node)) return true;
    const [before, after] = [nodes[k - 1], nodes[k + 1]].map(
      (next) => isSymbol(next) && !next.style.top && next, // not moved, and so in this size
    );
    const width = em(node.style.marginRight);
    if (before && before.style.marginLeft) widen(before, "Right", width);
    else if (after) widen(after, "Left", width);
    return !(before && before.style.marginLeft) && !after;
  });

// A single index or exponent is a table of two rows, for its place alone: moved, it needs none.
const script = (node) => {
  const items = node.children[0].children[0].children[0].children;
  const { style, children: [strut, content] } = items[0];
  if (items.length > 1 || isGroup(content)) return node;
  const [, from, to] = content.classes.join(" ").match(/reset-size(\d+) size(\d+)/) ?? [0, 1, 1];
  const scaled = (length) => (em(length) * SIZES[from - 1]) / SIZES[to - 1];
  const [only, ...others] = content.children ?? [];
  const moved = isSymbol(only) && !others.length ? only : content;
  const classes = moved === content ? [] : content.classes;
  moved.classes = unnamed([...classes, ...moved.classes]);
  moved.style.position = "relative";
  moved.style.top = inEm(scaled(style.top) + scaled(strut.style.height));
  widen(moved, "Left", scaled(style.marginLeft));
  widen(moved, "Right", scaled(style.marginRight));
  return moved;
};

const isNeeded = ({ style: { height, verticalAlign } }) =>
  em(height) + em(verticalAlign) > LINE.above || -em(verticalAlign) > LINE.below;

// What takes a node's place. Rules for tables ask for the children of an entry: they stay elements.
const place = (node, entry = false) => {
  if (!node.classes) return [node]; // a drawing
  const classes = unnamed(node.classes);
  const named = classes.length < node.classes.length && !classes.length;
  if (node.children) {
    const isEntry = has(node.children[0] ?? {}, "pstrut");
    const children = node.children.flatMap((child) =>
      place(child, isEntry || (entry && isGroup(node))),
    );
    node.children = withoutSpaces(children);
    if (has(node, "msupsub")) return [script(node)];
    if (has(node, "katex-strut") && !isNeeded(node)) return [];
    if (named && !entry && !Object.keys(node.style).length) return node.children;
  }
  if (!entry) node.classes = classes;
  return [node];
};

// `tree` is what KaTeX makes of a formula: MathML beside HTML.
export const lean = (tree) => {
  const [{ children: [math] }, html] = (has(tree, "katex") ? tree : tree.children[0]).children;
  const { children } = math.children[0];
  if (children[0].children.length === 1) [children[0]] = children[0].children;
  place(html);
  return tree;
};
