// The search page: results for the query in the address, from the index of the query's language.
const root = document.documentElement;
const status = document.getElementById("search-status");
const results = document.getElementById("search-results");
const query = new URLSearchParams(location.search).get("q")?.trim() ?? "";
const chinese = /[\u3400-\u9fff]/.test(query);
const MOST = 12;

// How many letters have to be put in, left out, changed or swapped to make one word of the other.
const distance = (a, b) => {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      rows[i][j] = Math.min(
        rows[i - 1][j] + 1,
        rows[i][j - 1] + 1,
        rows[i - 1][j - 1] + (a[i - 1] !== b[j - 1]),
        a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2][j - 2] + 1 : Infinity,
      );
    }
  }
  return rows[a.length][b.length];
};

// Each word that the book does not have becomes the nearest one that it has, if that is near.
const corrected = (query, words) =>
  query.replace(/[a-z]{4,}/gi, (written) => {
    const word = written.toLowerCase();
    if (words.some((known) => known.startsWith(word))) return written;
    const near = words
      .filter((known) => Math.abs(known.length - word.length) <= 2)
      .map((known) => [distance(word, known), known])
      .sort(([a], [b]) => a - b)[0];
    return near && near[0] <= (word.length < 7 ? 1 : 2) ? near[1] : written;
  });

const say = (english, han) => {
  const spans = [["en", english], ["zh-CN", han]].map(([lang, text]) => {
    const span = document.createElement("span");
    Object.assign(span, { lang, textContent: text });
    return span;
  });
  status.replaceChildren(spans[0], root.dataset.view === "both" ? " · " : "", spans[1]);
};

const link = (url, title) => {
  const a = document.createElement("a");
  Object.assign(a, { href: url, textContent: title });
  return a;
};

const item = async (result) => {
  const data = await result.data();
  const entry = document.createElement("li");
  entry.lang = chinese ? "zh-CN" : "en";
  entry.className = "keep";
  entry.append(link(data.url, data.meta.title));
  const weight = (part) => part.weighted_locations.reduce((sum, at) => sum + at.weight, 0);
  const parts = data.sub_results
    .filter((part) => part.url.includes("#"))
    .sort((a, b) => weight(b) - weight(a))
    .slice(0, 3);
  for (const part of parts.length ? parts : [{ excerpt: data.excerpt }]) {
    const text = document.createElement("p");
    text.innerHTML = part.excerpt; // Pagefind's: our own text, with <mark>
    if (part.url) text.prepend(link(part.url, part.title), document.createElement("br"));
    entry.append(text);
  }
  return entry;
};

const search = async () => {
  for (const input of document.querySelectorAll("input[name=q]")) input.value = query;
  if (!query) return document.querySelector("article input[name=q]").focus();
  const site = new URL("..", import.meta.url);
  const shown = root.lang;
  root.lang = chinese ? "zh" : "en"; // Pagefind takes its index by the page's language
  const pagefind = await import(new URL("pagefind/pagefind.js", site));
  await pagefind.options({ baseUrl: site.pathname, excerptLength: chinese ? 40 : 24 });
  await pagefind.init();
  root.lang = shown;
  let asked = query;
  if (!chinese) {
    const words = await (await fetch(new URL("pagefind/words.json", site))).json();
    asked = corrected(query, words);
  }
  const found = (await pagefind.search(asked)).results;
  results.append(...(await Promise.all(found.slice(0, MOST).map(item))));
  if (!found.length) say(`Nothing found for “${query}”`, `没有找到“${query}”`);
  else if (asked !== query) say(`Results for “${asked}”`, `“${asked}”的搜索结果`);
  results.dataset.done = found.length;
};
search();
