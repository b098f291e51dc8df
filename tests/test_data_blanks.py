"""Sentences with blanks: the split, the ceilings, and that they teach what the book says."""

import numpy as np
import pytest

from d2lutils.data.blanks import (
    BLANK,
    LANGUAGES,
    Sentence,
    ceiling,
    fill_in,
    names,
    to_arrays,
)

TASKS = [(task, language) for task in (fill_in, names) for language in LANGUAGES]


@pytest.mark.parametrize(("task", "language"), TASKS)
def test_no_sentence_is_on_both_sides_and_every_word_is_taught(task, language):
    train, held_out = task(language), task(language, "held_out")
    assert len(train) > 2 * len(held_out) > 100
    assert {s.words for s in train}.isdisjoint(s.words for s in held_out)
    assert {w for s in held_out for w in s.words} <= {w for s in train for w in s.words}
    assert {s.answer for s in held_out} <= {s.answer for s in train}


@pytest.mark.parametrize(("task", "language"), TASKS)
def test_only_both_sides_can_tell(task, language):
    held_out = task(language, "held_out")
    assert ceiling(held_out, "both") > ceiling(held_out, "left") + 0.1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_curriculums_examples_are_there(language):
    sentences = fill_in(language) + fill_in(language, "held_out")
    start = ("I", "am", BLANK) if language == "en" else ("我", BLANK)
    pig = "and can eat half a pig" if language == "en" else "能 吃下 半头 猪"
    answers = {s.answer for s in sentences if s.words[: len(start)] == start and pig in str(s)}
    assert answers == {"very" if language == "en" else "很"}
    short = {s.answer for s in sentences if s.words[: len(start)] == start and len(s.words) < 6}
    assert len(short) > 4
    teddy = {s.answer for s in names(language) if s.words[s.place] in ("Teddy", "泰迪")}
    assert teddy == {"name", "word"}


def test_ceiling_counts():
    sentences = [
        Sentence(("a", BLANK, "b"), 1, "x"),
        Sentence(("a", BLANK, "c"), 1, "y"),
        Sentence(("a", BLANK, "c"), 1, "y"),
        Sentence(("a", BLANK, "c"), 1, "z"),
    ]
    assert ceiling(sentences, "left") == 2 / 4
    assert ceiling(sentences, "both") == 3 / 4


def test_arrays():
    sentences = [Sentence(("a", BLANK), 1, "x"), Sentence((BLANK, "b", "a"), 0, "y")]
    x, y, weights = to_arrays(sentences, ["a", "b", BLANK], ["x", "y"])
    np.testing.assert_array_equal(x, [[1, 3, 0], [3, 2, 1]])
    np.testing.assert_array_equal(y, [[0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(weights, [[0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize("task", [fill_in, names])
def test_bad_arguments(task):
    with pytest.raises(ValueError, match="`language` must be one of .*Received: language='fr'"):
        task("fr")
    with pytest.raises(ValueError, match="`part` must be one of .*Received: part='test'"):
        task("en", "test")
    with pytest.raises(ValueError, match="`sides` must be .*Received: sides='right'"):
        ceiling(task("en"), "right")
