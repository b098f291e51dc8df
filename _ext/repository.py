"""Buttons in each page's header that lead to the repository: run in Colab, look at it, edit.

Where no repository is known (tools/origin.py), there are none.
"""

import sys
from functools import partial
from pathlib import Path

# `make colab` asks the same question without Sphinx, so the answer lies in tools/. Appended, that
# folder hides no module of this one.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

import origin


def buttons(repository, page, source):
    """The theme's description of each button; `source` is the page's own file."""
    chapter = page.removeprefix("chapters/") if page.startswith("chapters/") else None
    text = f"text/{chapter}.md" if chapter else source
    colab = chapter and repository.colab and f"{repository.colab}{chapter}.ipynb"
    for label, words, icon, address in (
        ("colab", "Open in Colab · 在 Colab 中打开", "fas fa-rocket", colab),
        ("repository", "Repository · 代码仓库", "fas fa-code-branch", repository.url),
        ("edit", "Edit the text · 修改文字", "fas fa-pen", repository.edit(text)),
    ):
        if address:
            yield {
                "type": "link",
                "url": address,
                "tooltip": words,
                "icon": icon,
                "label": f"{label}-button",
                "classes": "d-none d-sm-block",  # a phone's header has no room for them
            }


def add_buttons(repository, app, page, template, context, document):
    if document is not None:  # a page that somebody wrote
        source = Path(app.env.doc2path(page)).relative_to(app.srcdir).as_posix()
        context["header_buttons"] += buttons(repository, page, source)


def setup(app):
    repository = origin.find(Path(app.srcdir))
    if repository and repository.on_the_web:
        add = partial(add_buttons, repository)
        app.connect("html-page-context", add, priority=600)  # after the theme's own (501)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
