"""The data sets, one file each: source, licence, size and split stand at the top of each file."""

from d2lutils.data.agreement import (
    WORDS,
    Dependency,
    Sentence,
    agreement,
    asked,
    encode_words,
    right_answers,
)
from d2lutils.data.keras_source import TextSplit, drop_copied_lines, keras_source
from d2lutils.data.regimes import Regimes, best_reader, regimes
from d2lutils.data.text import load_text

__all__ = [
    "Dependency",
    "Regimes",
    "Sentence",
    "TextSplit",
    "WORDS",
    "agreement",
    "asked",
    "best_reader",
    "drop_copied_lines",
    "encode_words",
    "keras_source",
    "load_text",
    "regimes",
    "right_answers",
]
