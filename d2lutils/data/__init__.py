"""The data sets, one file each: source, licence, size and split stand at the top of each file."""

from d2lutils.data.keras_source import TextSplit, drop_copied_lines, keras_source
from d2lutils.data.text import load_text

__all__ = [
    "TextSplit",
    "drop_copied_lines",
    "keras_source",
    "load_text",
]
