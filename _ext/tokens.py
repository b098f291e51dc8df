"""Code in few elements, for a long chapter has ten thousand tokens, and with its height in lines.

Kinds of tokens that look alike, by day and by night, share one class, so that Pygments joins
neighbours; what looks like plain text needs no element. At first, site.css only keeps the place
of code that is not in sight.
"""

from functools import cache

from pygments.formatters import HtmlFormatter
from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES, Text
from sphinx.highlighting import PygmentsBridge


class Tokens(HtmlFormatter):
    """Pygments' formatter, with a class for each look."""

    styles = ()  # by day and by night

    @classmethod
    @cache
    def classes(cls):
        """The class of each look: the shortest name of a kind which has it."""
        found = {cls.look(Text): ""}
        for kind, name in sorted(STANDARD_TYPES.items(), key=lambda item: len(item[1])):
            found.setdefault(cls.look(kind), name)
        return found

    @classmethod
    def look(cls, kind):
        while kind not in STANDARD_TYPES:
            kind = kind.parent
        return tuple(tuple(style.style_for_token(kind).items()) for style in cls.styles)

    def _get_css_classes(self, kind):
        return self.classes()[self.look(kind)]

    def wrap(self, source):
        lines = [*source]
        self.cssstyles = f"--lines: {len(lines)}"
        return super().wrap(lines)


def find_styles(app):
    names = app.builder.theme.get_options(app.config.html_theme_options)
    Tokens.styles = tuple(
        get_style_by_name(names[f"pygments_{time}_style"]) for time in ("light", "dark")
    )


def setup(app):
    PygmentsBridge.html_formatter = Tokens
    app.connect("builder-inited", find_styles)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
