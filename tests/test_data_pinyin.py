"""Readings of Chinese characters: nothing alike on two sides, arrays that say what they should."""

import itertools

import numpy as np
import pytest

from d2lutils.data.pinyin import PHRASES_DICT, pieces, pinyin_readings, with_a_gap, without_alike


@pytest.fixture(scope="module")
def readings():
    return pinyin_readings()


@pytest.fixture(scope="module")
def parts(readings):
    return {name: getattr(readings, name) for name in ("train", "validation", "held_out")}


def test_no_phrase_is_on_two_sides_nor_inside_one_nor_almost_equal(parts):
    for one, other in itertools.permutations(parts.values(), 2):
        inside = {piece for phrase in other for piece in pieces(phrase)}
        assert inside.isdisjoint(one)
        gaps = {gap for phrase in other for gap in with_a_gap(phrase)}
        assert not any(gaps & set(with_a_gap(phrase)) for phrase in one)


def test_without_that_rule_there_is_a_leak(readings):
    loose = pinyin_readings(alike=True)
    assert loose.held_out == readings.held_out
    inside = {piece for phrase in loose.train for piece in pieces(phrase)}
    assert any(phrase in inside for phrase in loose.held_out)


def test_what_counts_as_alike():
    phrases = dict.fromkeys(("长大", "长大成人", "长短", "一鬨而散", "大长", "长"), ())
    assert set(without_alike(phrases, ["长大"])) == {"长短", "一鬨而散", "大长", "长"}
    assert set(without_alike(phrases, ["长大成人"])) == {"长短", "一鬨而散", "大长", "长"}
    assert "一鬨而散" not in without_alike(phrases, ["一哄而散"])


def test_every_kept_phrase_has_the_dictionarys_readings_but_for_tones_of_position(parts):
    assert min(map(len, parts.values())) > 1000
    for part in parts.values():
        for phrase, found in part.items():
            assert len(phrase) == len(found)
            for character, ours, theirs in zip(phrase, found, PHRASES_DICT[phrase], strict=True):
                assert ours == theirs[0] or (character, ours) in {("一", "yī"), ("不", "bù")}


def test_the_split_does_not_depend_on_chance(readings):
    assert pinyin_readings().train == readings.train
    assert list(pinyin_readings().train) == sorted(readings.train)


def test_readings_are_counted_in_training_alone(readings):
    assert readings.readings["长"] == ("cháng", "zhǎng")
    for character, several in readings.readings.items():
        counts = [
            sum(found[phrase.index(character)] == reading for phrase, found in matching)
            for matching in [[(p, f) for p, f in readings.train.items() if p.count(character) == 1]]
            for reading in several
        ]
        assert len(several) >= 2
        assert counts[0] > 0


def test_arrays_give_back_phrases_and_readings(readings):
    phrases = dict(itertools.islice(readings.held_out.items(), 800))
    x, y, weights = readings.encode(phrases)
    asked = {p: f for p, f in phrases.items() if any(readings.asked(p, f))}
    assert x.shape == y.shape == weights.shape == (len(asked), 4)
    for row, (phrase, found) in enumerate(asked.items()):
        known = [c if c in readings.characters else None for c in phrase]
        back = [readings.characters[n - 2] if n > 1 else None for n in x[row, : len(phrase)]]
        assert back == known and not x[row, len(phrase) :].any()
        for t in np.flatnonzero(weights[row]):
            assert readings.classes[y[row, t]] == found[t]
            assert phrase[t] in readings.readings


def test_the_prior_is_the_baseline(readings):
    x, y, weights = readings.encode(readings.held_out)
    right = (readings.log_prior[x].argmax(-1) == y)[weights > 0].mean()
    assert right == pytest.approx(readings.commonest(readings.held_out))
    assert np.exp(readings.log_prior).sum(1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("rare", [0, -1, 2.5, True])
def test_bad_rare(rare):
    with pytest.raises(ValueError, match=r"`rare` must be an integer of at least 1.*Received"):
        pinyin_readings(rare=rare)
