// KaTeX in Node: a list of {tex, display} on standard input, a list of {html} or {error} on output.
import { readFileSync } from "node:fs";
import katex from "katex";
import { lean } from "./lean.mjs";

const typeset = ({ tex, display }) => {
  try {
    const tree = katex.__renderToDomTree(tex, { displayMode: display, strict: "error" });
    return { html: lean(tree).toMarkup() };
  } catch (error) {
    return { error: error.message };
  }
};

const formulas = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(formulas.map(typeset)));
