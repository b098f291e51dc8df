// PurgeCSS in Node: one style sheet out of many, with the rules that some page or script can use.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { PurgeCSS } from "purgecss";

const { styles, own, content, bundle } = JSON.parse(readFileSync(0, "utf8"));

// Addresses in a style sheet are relative to it, and so change with its place.
const moved = (css, from) =>
  css.replace(/url\((['"]?)(?!data:|#|https?:)([^)'"]+)\1\)/g, (_, quote, address) => {
    const path = relative(dirname(bundle), join(dirname(from), address));
    return `url(${quote}${path}${quote})`;
  });

const read = (path) =>
  moved(
    readFileSync(path, "utf8").replace(/@import "([^"]+)";/g, (_, name) => read(join(dirname(path), name))),
    path,
  );
const raw = styles.map(read).join("\n");
const words = (text) => text.match(/[A-Za-z0-9_:/@.%-]*[A-Za-z0-9_/@%-]/g) ?? [];
const [{ css }] = await new PurgeCSS().purge({
  content,
  css: [{ raw }],
  defaultExtractor: words,
  fontFace: true,
  keyframes: true,
  variables: false,
  safelist: { standard: [/^data-/, /^html/, /^is-/, "dark", "light"] },
});
writeFileSync(bundle, css + read(own)); // PurgeCSS drops `:is(a, button)`; our own rules are in use
