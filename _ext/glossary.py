"""The glossary: its page, made from glossary.yml, and a link to it from each term's first use.

In each chapter, and in each language, the first use of a term in running text becomes a quiet link
to its entry, whose tip shows the term in the other language. Chinese terms of a single character
(门, 层) are part of too many other words to be found so, and of a term's other Chinese forms only
abbreviations are safe: 符号, the signs of the notation, are in most sentences those of a text.
"""

import re
from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes

from languages import CODES, HAN

PAGE = "glossary"
NO_PROSE = (nodes.reference, nodes.literal, nodes.math, nodes.title, addnodes.pending_xref)


@cache
def entries(source):
    table = yaml.safe_load(Path(source, "glossary.yml").read_text(encoding="utf-8"))
    return sorted(table, key=lambda entry: entry["en"].lower())


def anchor(entry):
    return nodes.make_id(f"term-{entry['en']}")


def forms(entry, language):
    """The ways in which running text may write the term; a formula is found by nobody."""
    if language == "en":
        return [form for form in (entry["en"], *entry.get("also", [])) if "$" not in form]
    safe = [form for form in entry.get("aliases", []) if form.isascii()]
    return [form for form in (entry["zh"], *safe) if len(form) > 1]


def pattern(table, language):
    """What finds all terms, longest first, and the entry of each form."""
    of_form = {}
    for entry in table:
        for form in forms(entry, language):
            of_form.setdefault(form.lower(), entry)
    words = "|".join(re.escape(form) for form in sorted(of_form, key=len, reverse=True))
    if language == "en":
        return re.compile(rf"(?<![\w-])({words})s?(?![\w-])", re.IGNORECASE), of_form
    return re.compile(f"({words})"), of_form


def link_terms(app, doctree, docname):
    if app.builder.format != "html" or Path(app.env.doc2path(docname)).suffix != ".ipynb":
        return  # the first page, for one, explains no terms
    page = app.builder.get_relative_uri(docname, PAGE)
    table = entries(app.srcdir)
    for language, code in CODES.items():
        other = "zh" if language == "en" else "en"
        terms, of_form = pattern(table, language)
        seen = set()
        for block in in_language(doctree, code):
            for text in [*block.findall(nodes.Text)]:
                if not inside(text, NO_PROSE):
                    parts = linked(text, terms, of_form, seen, page, other)
                    if len(parts) > 1:
                        text.parent.replace(text, parts)


def in_language(doctree, code):
    blocks = [*doctree.findall(nodes.Element)]
    return [block for block in blocks if f"language-{code}" in block.get("classes", [])]


def inside(node, kinds):
    while node := node.parent:
        if isinstance(node, kinds):
            return True
    return False


def linked(text, terms, of_form, seen, page, other):
    parts, at = [], 0
    for found in terms.finditer(str(text)):
        entry = of_form[found[1].lower()]
        if entry["en"] in seen:
            continue
        seen.add(entry["en"])
        address = f"{page}#{anchor(entry)}"
        link = nodes.reference("", found[0], refuri=address, internal=True, classes=["term"])
        link["reftitle"] = entry[other]
        parts += [nodes.Text(text[at : found.start()]), link]
        at = found.end()
    return [*parts, nodes.Text(text[at:])]


def fill_page(app, doctree):
    """The table below the page's words."""
    if app.env.docname == PAGE:
        doctree.next_node(nodes.section).append(terms_table(entries(app.srcdir)))
        app.env.note_dependency(str(Path(app.srcdir, "glossary.yml")))


def terms_table(table):
    """English, Chinese, and other forms, which every view shows: each explains the other."""
    body = nodes.tbody()
    for entry in table:
        also = dict.fromkeys([*forms(entry, "en")[1:], *entry.get("aliases", [])])
        others = [(word, "zh" if HAN.search(word) else "en") for word in also]
        row = nodes.row("", ids=[anchor(entry)])
        row += [cell((entry["en"], "en")), cell((entry["zh"], "zh")), cell(*others)]
        body += row
    heading = nodes.row("", cell(("English", "en")), cell(("中文", "zh")), cell(("≈", "en")))
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in range(3)), cols=3)
    group += [nodes.thead("", heading), body]
    return nodes.table("", group, classes=["terms"])


def cell(*words):
    """Words with their languages, a comma between them."""
    paragraph = nodes.paragraph()
    for word, language in words:
        paragraph += [nodes.Text(", ")] if paragraph.children else []
        paragraph += nodes.inline("", word, classes=[f"language-{CODES[language]}", "keep"])
    return nodes.entry("", paragraph)


def setup(app):
    app.connect("doctree-read", fill_page)
    app.connect("doctree-resolved", link_terms)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
