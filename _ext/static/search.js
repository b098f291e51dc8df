// The search page: the sections that hold every word of the query, or a part of a word, best first.
const root = document.documentElement;
const status = document.getElementById("search-status");
const list = document.getElementById("search-results");
const query = new URLSearchParams(location.search).get("q")?.trim() ?? "";
const language = /[\u3400-\u9fff]/.test(query) ? "zh" : "en";
const site = new URL("..", import.meta.url);
const FEW = 3; // results, that one asks whether something else was meant
const MOST = { pages: 12, sections: 3, excerpt: language === "zh" ? 60 : 160 };

const count = (text, part) => text.split(part).length - 1;

// A heading says more than the text, where the tenth time says less than the first.
const score = (parts, heading, text) => {
  const points = (part) => 10 * heading.includes(part) + Math.log2(1 + count(text, part));
  return parts.reduce((sum, part) => sum + points(part), 0);
};

const search = (pages, query) => {
  const words = query.toLowerCase().split(/\s+/);
  const phrase = words.join(" ");
  const found = [];
  for (const page of pages) {
    const title = page.sections[0][1].toLowerCase();
    const all = page.sections.map((section) => section.join(" ")).join(" ").toLowerCase();
    if (!words.every((word) => all.includes(word))) continue;
    const parts = words.length > 1 && all.includes(phrase) ? [...words, phrase] : words;
    const best = page.sections
      .map((section) => [score(parts, section[1].toLowerCase(), section[2].toLowerCase()), section])
      .filter(([points]) => points > 0)
      .sort(([a], [b]) => b - a)
      .slice(0, MOST.sections);
    const titled = 100 * parts.filter((part) => title.includes(part)).length; // that says most
    const points = best.reduce((sum, [points]) => sum + points, titled + score(parts, "", all));
    found.push({ page, points: points * page.weight, sections: best.map(([, section]) => section) });
  }
  return found.sort((a, b) => b.points - a.points);
};

// How many letters have to be put in, left out, changed or swapped to make one word of the other.
const distance = (a, b) => {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      rows[i][j] = Math.min(
        rows[i - 1][j] + 1,
        rows[i][j - 1] + 1,
        rows[i - 1][j - 1] + (a[i - 1] !== b[j - 1]),
        swapped ? rows[i - 2][j - 2] + 1 : Infinity,
      );
    }
  }
  return rows[a.length][b.length];
};

// Each word that the book does not have becomes the nearest one that it has, if that is near.
const corrected = (pages, query) => {
  const known = new Set(JSON.stringify(pages).toLowerCase().match(/[a-z]{4,}/g));
  return query.replace(/[a-z]{4,}/gi, (written) => {
    const word = written.toLowerCase();
    if (known.has(word)) return written;
    const most = word.length < 7 ? 1 : 2;
    const near = [...known]
      .filter((other) => Math.abs(other.length - word.length) <= most)
      .map((other) => [distance(word, other), other])
      .sort(([a], [b]) => a - b)[0];
    return near?.[0] <= most ? near[1] : written;
  });
};

const element = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

// The text around the first of the words, with all of them marked.
const excerpt = (text, words) => {
  const low = text.toLowerCase();
  const at = Math.max(0, Math.min(...words.map((word) => low.indexOf(word)).filter((i) => i >= 0)));
  const from = Math.max(0, at - MOST.excerpt / 3);
  const start = from && language === "en" ? text.indexOf(" ", from) + 1 : from;
  const piece = text.slice(start, start + MOST.excerpt);
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const parts = piece.split(new RegExp(`(${escaped.join("|")})`, "i"));
  return [
    start ? "…" : "",
    ...parts.map((part, i) => (i % 2 ? element("mark", { textContent: part }) : part)),
    start + MOST.excerpt < text.length ? "…" : "",
  ];
};

const link = (page, id, text) => {
  const address = new URL(page.url, site);
  address.searchParams.set("lang", language);
  if (id) address.hash = id;
  return element("a", { href: address, textContent: text });
};

const item = ({ page, sections }, words) =>
  element(
    "li",
    { lang: language === "zh" ? "zh-CN" : "en", className: "keep" },
    link(page, "", page.sections[0][1]),
    ...sections.map(([id, heading, text]) =>
      element("p", {}, link(page, id, heading), element("br"), ...excerpt(text, words)),
    ),
  );

const say = (english, chinese) =>
  status.replaceChildren(
    element("span", { lang: "en", textContent: english }),
    element("span", { className: "separator", textContent: " · " }),
    element("span", { lang: "zh-CN", textContent: chinese }),
  );

const show = async () => {
  for (const input of document.querySelectorAll("input[name=q]")) input.value = query;
  if (!query) return document.querySelector("article input[name=q]").focus();
  const pages = await (await fetch(new URL(`search/${language}.json`, site))).json();
  let [asked, found] = [query, search(pages, query)];
  if (found.length < FEW) {
    const meant = corrected(pages, query); // a slip of the pen, or the beginning of a word?
    const more = search(pages, meant);
    if (more.length > found.length) [asked, found] = [meant, more];
  }
  const words = asked.toLowerCase().split(/\s+/);
  list.append(...found.slice(0, MOST.pages).map((result) => item(result, words)));
  if (!found.length) say(`Nothing found for “${query}”`, `没有找到“${query}”`);
  else if (asked !== query) say(`Results for “${asked}”`, `“${asked}”的搜索结果`);
  list.dataset.done = found.length;
};
show();
