"""The agreement task: what depends on what, how far, and that no sentence is on both sides."""

import itertools

import numpy as np
import pytest

from d2lutils.data.agreement import (
    BE,
    HEADS,
    NOUNS,
    PEOPLE,
    SHORTEST,
    THINGS,
    VERBS,
    WORDS,
    agreement,
    asked,
    encode_words,
    right_answers,
)

CASES = [(language, k) for language in WORDS for k in (0, *range(SHORTEST[language], 27))]


@pytest.mark.parametrize(("language", "distance"), CASES)
def test_distance_is_the_one_asked_for(language, distance):
    for sentence in agreement(distance, 60, language=language, seed=3):
        assert sentence.long.distance == distance
        assert sentence.words[sentence.long.target] in sentence.long.right
        for one in sentence.short:
            assert sentence.long.source < one.source < one.target < sentence.long.target
            assert one.distance <= 1
            assert sentence.words[one.target] in one.right
            assert not set(one.right) & set(one.wrong)


@pytest.mark.parametrize("distance", [0, 6, 13, 22])
def test_english_grammar_by_other_means(distance):
    """Number read off the spelling, not off the generator's own account."""
    for sentence in agreement(distance, 200):
        plural = sentence.words[1].endswith("s")
        assert sentence.words[sentence.long.target] == BE[plural]
        assert sentence.words[1].removesuffix("s") in NOUNS
        for one in sentence.short:
            noun, verb = sentence.words[one.source], sentence.words[one.target]
            assert verb.removesuffix("s") in VERBS
            assert noun.endswith("s") != verb.endswith("s")


@pytest.mark.parametrize("distance", [0, 3, 12, 23])
def test_chinese_grammar_by_other_means(distance):
    kind_of = {noun: kind for kind, nouns in (THINGS | PEOPLE).items() for noun in nouns}
    for sentence in agreement(distance, 200, language="zh"):
        words = sentence.words
        assert words[1] in HEADS
        assert kind_of[words[sentence.long.target]] == words[1]
        counted = [k for k, word in enumerate(words) if word in "一两三"]
        assert len(counted) == len(sentence.short)
        for k in counted:
            assert kind_of[words[k + 2]] == words[k + 1]


@pytest.mark.parametrize("language", WORDS)
def test_no_sentence_on_both_sides(language):
    def sides(part, seeds):
        return [
            sentence
            for seed, k in itertools.product(seeds, (0, 6, 9, 16))
            for sentence in agreement(k, 300, language=language, part=part, seed=seed)
        ]

    train, held_out = sides("train", (0, 1, 2)), sides("held_out", (0, 1, 5))
    assert not {s.words for s in train} & {s.words for s in held_out}
    assert not {s.key for s in train} & {s.key for s in held_out}  # nor with another number


def test_key_forgets_number_and_answer():
    s = agreement(8, 1)[0]
    assert not set(s.key) & ({n + "s" for n in NOUNS} | {v + "s" for v in VERBS} | set(BE))
    s = agreement(8, 1, language="zh")[0]
    assert s.key[1] == "量词" and s.key[s.long.target] == "名词"


@pytest.mark.parametrize("language", WORDS)
def test_clause_does_not_tell_the_answer(language):
    """Both answers are equally common, and no word of the clause goes with one of them."""
    sentences = agreement(14, 3000, language=language, seed=7)
    first = np.array(
        [s.words[1].endswith("s") if language == "en" else s.words[1] == "只" for s in sentences]
    )
    assert abs(first.mean() - 0.5) < 0.04
    tokens = encode_words(sentences, language)[:, 2:16]
    for word in range(len(WORDS[language])):
        has = (tokens == word).any(1)
        if has.sum() > 200:
            assert abs(first[has].mean() - first.mean()) < 5 * 0.5 / has.sum() ** 0.5


def test_same_seed_same_sentences():
    assert agreement(9, 20, seed=4) == agreement(9, 20, seed=4)
    assert agreement(9, 20, seed=4) != agreement(9, 20, seed=5)


def test_asked_marks_the_word_before_each_target():
    sentences = agreement(10, 30)
    marks = asked(sentences)
    assert marks.shape == encode_words(sentences).shape
    for row, sentence in zip(marks, sentences):
        targets = {one.target for one in (sentence.long, *sentence.short)}
        assert set(np.flatnonzero(row) + 1) == targets


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("which", ["long", "short"])
def test_right_answers_of_an_oracle_and_of_its_opposite(language, which):
    sentences = agreement(18, 50, language=language, seed=2)
    tokens = encode_words(sentences, language)
    knows = np.eye(len(WORDS[language]))[np.roll(tokens, -1, axis=1)]
    scores = np.stack([5 * knows, -5 * knows])
    good, bad = right_answers(scores, sentences, which, language)
    assert good == 1
    if language == "en":
        assert bad == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"distance": 5, "count": 1}, "distance=5"),
        ({"distance": 2, "count": 1, "language": "zh"}, "distance=2"),
        ({"distance": -1, "count": 1}, "distance=-1"),
        ({"distance": 6, "count": 0}, "count=0"),
        ({"distance": 6, "count": 1, "language": "fr"}, "language='fr'"),
        ({"distance": 6, "count": 1, "part": "test"}, "part='test'"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        agreement(**arguments)


def test_bad_sentences_are_refused():
    with pytest.raises(ValueError, match="one length"):
        encode_words(agreement(6, 1) + agreement(8, 1))
    with pytest.raises(ValueError, match="must be of 'zh'"):
        encode_words(agreement(6, 1), "zh")
    sentences = agreement(0, 2)
    scores = np.zeros((2, 4, len(WORDS["en"])))
    with pytest.raises(ValueError, match="which='both'"):
        right_answers(scores, sentences, "both")
    with pytest.raises(ValueError, match="short dependencies"):
        right_answers(scores, sentences, "short")
