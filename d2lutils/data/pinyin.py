"""Readings of Chinese characters in phrases: pypinyin's phrase dictionary, split by phrase.

Source   `pypinyin.constants.PHRASES_DICT` of the pypinyin that is installed: 47,111 phrases of two
         to ten characters in pypinyin 0.55, each with the reading of every character in it
Licence  MIT (c) mozillazg, 闲耘
Size     47 thousand phrases; simplified and traditional forms stand side by side. Kept: those of
         two to four characters (98 %). The tones of 一 and 不 that only follow from the next
         syllable (yí, yì, bú) are written back to yī and bù
Split    by phrase: a hash of the phrase sends 10 % to the held-out part and 5 % to the validation
         part. Then whatever resembles a phrase of another part leaves the larger part: one
         contains the other (长大 in 长大成人), or both have the same four characters but for one
         (一哄而散, 一鬨而散). `alike=True` leaves them in, for comparison
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pypinyin.constants import PHRASES_DICT

SANDHI = {("一", "yí"): "yī", ("一", "yì"): "yī", ("不", "bú"): "bù"}
LONGEST = 4  # characters in a phrase

Phrases = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Readings:
    """Phrases with the reading of each character, in three parts that share nothing alike.

    train, validation, held_out: phrase -> its readings, one for each character.
    rare: a reading that fewer training phrases have does not count as a reading of a character.
    """

    train: Phrases
    validation: Phrases
    held_out: Phrases
    rare: int = 5

    @cached_property
    def readings(self) -> dict[str, tuple[str, ...]]:
        """The characters with two or more readings in `train` -> those, the commonest first."""
        counts: dict[str, Counter] = defaultdict(Counter)
        for phrase, readings in self.train.items():
            for character, reading in zip(phrase, readings, strict=True):
                counts[character][reading] += 1
        kept = {
            character: tuple(r for r, n in count.most_common() if n >= self.rare)
            for character, count in sorted(counts.items())
        }
        return {character: several for character, several in kept.items() if len(several) > 1}

    @cached_property
    def characters(self) -> tuple[str, ...]:
        """The characters of `train`. The first is at place 2: 0 is padding, 1 any other one."""
        return tuple(sorted(set("".join(self.train))))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The readings that there are to choose from, over all characters with several."""
        return tuple(sorted({r for several in self.readings.values() for r in several}))

    def encode(self, phrases: Phrases) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The phrases that hold a character with several readings, as arrays -> x, y, weights.

        Returns:
            x: (phrases, 4) numbers of characters, 0 after the end.
            y: (phrases, 4) numbers of readings in `classes`, 0 where nothing is asked.
            weights: (phrases, 4) one where a character has several readings and its reading here
                is one of them, else zero.

        Raises:
            ValueError: a phrase of more than four characters, or not one reading for each.
        """
        for phrase, readings in phrases.items():
            if not len(phrase) == len(readings) <= LONGEST:
                raise ValueError(
                    f"`phrases` must map up to {LONGEST} characters to as many readings. "
                    f"Received: {phrase!r}: {readings!r}"
                )
        number = {character: k for k, character in enumerate(self.characters, 2)}
        place = {reading: k for k, reading in enumerate(self.classes)}
        rows = [row for row in phrases.items() if any(self.asked(*row))]
        x, y = np.zeros((2, len(rows), LONGEST), "int32")
        weights = np.zeros((len(rows), LONGEST), "float32")
        for k, (phrase, readings) in enumerate(rows):
            asked = self.asked(phrase, readings)
            x[k, : len(phrase)] = [number.get(character, 1) for character in phrase]
            y[k, : len(phrase)] = [place[r] if a else 0 for r, a in zip(readings, asked)]
            weights[k, : len(phrase)] = asked
        return x, y, weights

    def asked(self, phrase: str, readings: Iterable[str]) -> list[bool]:
        """Where in the phrase there is a reading to be chosen."""
        return [r in self.readings.get(c, ()) for c, r in zip(phrase, readings, strict=True)]

    @cached_property
    def log_prior(self) -> np.ndarray:
        """log P(reading | character) as counted in `train`: (characters + 2, classes)."""
        x, y, weights = self.encode(self.train)
        counts = np.zeros((len(self.characters) + 2, len(self.classes)), "float32")
        np.add.at(counts, (x[weights > 0], y[weights > 0]), 1)
        counts += 1e-3
        return np.log(counts / counts.sum(1, keepdims=True))

    def commonest(self, phrases: Phrases) -> float:
        """Share of right answers of always taking a character's commonest reading in `train`."""
        right = [
            r == self.readings[c][0]
            for phrase, readings in phrases.items()
            for c, r, asked in zip(phrase, readings, self.asked(phrase, readings))
            if asked
        ]
        return float(np.mean(right))


def pinyin_readings(rare: int = 5, alike: bool = False) -> Readings:
    """pypinyin's phrases, split as this file's head says; no chance and no network is involved.

    Args:
        rare: see `Readings`.
        alike: leave phrases in that resemble one of another part. The held-out part is the same,
            but scores on it become too good.

    Raises:
        ValueError: `rare` is not a positive integer.
    """
    if isinstance(rare, bool) or not isinstance(rare, int) or rare < 1:
        raise ValueError(f"`rare` must be an integer of at least 1. Received: rare={rare!r}")
    parts: dict[str, Phrases] = {"held_out": {}, "validation": {}, "train": {}}
    for phrase, readings in sorted(PHRASES_DICT.items()):
        if len(phrase) == len(readings) and 2 <= len(phrase) <= LONGEST:
            parts[part_of(phrase)][phrase] = tuple(
                SANDHI.get((character, several[0]), several[0])
                for character, several in zip(phrase, readings)
            )
    if alike:
        return Readings(**parts, rare=rare)
    held_out = parts["held_out"]
    validation = without_alike(parts["validation"], held_out)
    train = without_alike(parts["train"], held_out | validation)
    return Readings(train, validation, held_out, rare)


def part_of(phrase: str) -> str:
    """The part that a phrase falls into: the same on every machine and with every release."""
    number = int.from_bytes(hashlib.sha256(phrase.encode()).digest()[:4], "big") % 20
    return "held_out" if number < 2 else "validation" if number == 2 else "train"


def without_alike(phrases: Phrases, others: Iterable[str]) -> Phrases:
    """`phrases` without those that are, contain, stand in or nearly equal one of `others`."""
    others = set(others)
    inside = {piece for other in others for piece in pieces(other)}
    patterns = {pattern for other in others for pattern in with_a_gap(other)}
    return {
        phrase: readings
        for phrase, readings in phrases.items()
        if phrase not in inside
        and others.isdisjoint(pieces(phrase))
        and patterns.isdisjoint(with_a_gap(phrase))
    }


def pieces(phrase: str) -> Iterator[str]:
    """All pieces of two or more characters, the whole phrase among them."""
    for start in range(len(phrase) - 1):
        for end in range(start + 2, len(phrase) + 1):
            yield phrase[start:end]


def with_a_gap(phrase: str) -> Iterator[str]:
    """A phrase of four characters with each of them left out in turn: 一·而散."""
    if len(phrase) >= 4:
        for k in range(len(phrase)):
            yield f"{phrase[:k]}·{phrase[k + 1 :]}"
