// KaTeX in Node: a list of {tex, display} on standard input, a list of {html} or {error} on output.
import { readFileSync } from "node:fs";
import katex from "katex";

const typeset = ({ tex, display }) => {
  try {
    return { html: katex.renderToString(tex, { displayMode: display, strict: "error" }) };
  } catch (error) {
    return { error: error.message };
  }
};

const formulas = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(formulas.map(typeset)));
