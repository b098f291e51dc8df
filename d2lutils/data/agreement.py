"""Agreement over a distance: *the cat, which …, was* and *the cats, which …, were*; and in Chinese.

Source   a generator written for this book, after the task of Linzen, Dupoux and Goldberg (2016)
Licence  CC BY-SA 4.0, as the book's text
Size     as many sentences as are asked for, over 52 English or 58 Chinese words
Split    by a digest of the sentence without the words that agreement decides: a fifth is held out.
         Whatever the seeds, no sentence is on both sides; nor is a sentence about *the cat* on one
         side and the same sentence about *the cats* on the other.

English: the form of the main verb depends on the subject, over a relative clause with other nouns,
singular or plural by chance, and with verbs that agree with those.

    the cat , which the old dogs often see near the king , was hungry

Chinese verbs have one form only. There a noun depends on its classifier (量词), over a relative
clause with other classifiers and nouns: 只 asks for an animal, 本 for something to read.

    那 只 老师 昨天 在 三 张 桌子 旁边 看见 的 猫 很 漂亮

The clause tells nothing about the answer: a model that has lost the subject can only guess. The
clause's own agreement, over one word at most, is the short-term dependency to compare with.
"""

import functools
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NOUNS = "cat dog bird horse girl boy king queen farmer teacher".split()
VERBS = "see like know want hear follow".split()
ADJECTIVES = "old young tall quiet".split()
ADVERBS = "often always never".split()
PLACES = "near with behind".split()
ENDS = "hungry happy late here".split()
BE = "was", "were"

HEADS = {"只": "猫 狗 鸟 兔子".split(), "本": "书 词典 小说 杂志".split()}
THINGS = {"张": "桌子 床 椅子".split(), "棵": "松树 柳树 树".split(), **HEADS}
PEOPLE = {"位": "朋友 客人 医生".split(), "个": "同学 邻居 孩子".split()}
SUBJECTS = "老师 小明 妈妈 校长 奶奶".split()
ACTS = "看见 喜欢 提到 画过 找到 拍下".split()
TIMES = "昨天 早上 去年".split()
OFTEN = "常常 偶尔 多次".split()
NUMBERS = "一 两 三".split()
PRAISE = "漂亮 有名 可爱 特别".split()

ENGLISH = (
    *("the", ",", "which", "and", *BE),
    *(form for noun in NOUNS for form in (noun, noun + "s")),
    *(form for verb in VERBS for form in (verb + "s", verb)),
    *(*ADJECTIVES, *ADVERBS, *PLACES, *ENDS),
)
CHINESE = (
    *("那", "的", "很", "、", "和", "一起", "在", "旁边"),
    *(word for kind, nouns in (THINGS | PEOPLE).items() for word in (kind, *nouns)),
    *(*SUBJECTS, *ACTS, *TIMES, *OFTEN, *NUMBERS, *PRAISE),
)
WORDS = {"en": ENGLISH, "zh": CHINESE}
SHORTEST = {"en": 6, "zh": 3}  # words in the shortest relative clause
COSTS = {
    "en": {"adjective": 1, "adverb": 1, "place": 3, "place adjective": 1, "clause": 4},
    "zh": {"time": 1, "adverb": 1, "company": 5, "place": 5, "clause": 3},
}


@dataclass(frozen=True)
class Dependency:
    """A word and the earlier one that decides its form.

    source, target: their places in the sentence.
    right, wrong: the words that may stand at `target`, and those that may not.
    """

    source: int
    target: int
    right: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def distance(self) -> int:
        """How many words stand between the two (a comma is a word)."""
        return self.target - self.source - 1


@dataclass(frozen=True)
class Sentence:
    """A sentence and what depends on what in it.

    words: the sentence.
    long: the dependency over the relative clause.
    short: those inside the clause, over one word at most.
    key: the words, without those that the dependencies decide; it says which side of the split.
    """

    words: tuple[str, ...]
    long: Dependency
    short: tuple[Dependency, ...]
    key: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.words)

    @property
    def part(self) -> str:
        """ "train" or "held_out"."""
        digest = hashlib.sha256(" ".join(self.key).encode()).digest()
        return "train" if digest[0] % 5 else "held_out"


def agreement(
    distance: int, count: int, *, language: str = "en", part: str = "train", seed: int = 0
) -> list[Sentence]:
    """Random sentences with `distance` words between the subject and what depends on it.

    Args:
        distance: 0 (no relative clause), or at least 6 in English and 3 in Chinese.
        count: how many; half of them ask for each of the two answers, in expectation.
        language: "en" or "zh".
        part: "train" or "held_out".
        seed: of the random choices.

    Raises:
        ValueError: an unknown language or part, a count below 1, a distance that no clause has.
    """
    if language not in WORDS:
        raise ValueError(f"`language` must be 'en' or 'zh'. Received: language={language!r}")
    if part not in ("train", "held_out"):
        raise ValueError(f"`part` must be 'train' or 'held_out'. Received: part={part!r}")
    if count < 1:
        raise ValueError(f"`count` must be at least 1. Received: count={count!r}")
    if distance != 0 and distance < SHORTEST[language]:
        raise ValueError(
            f"`distance` must be 0 or at least {SHORTEST[language]} in {language!r}, the words of "
            f"the shortest relative clause. Received: distance={distance!r}"
        )
    return list(written(distance, count, language, part, seed))


@functools.lru_cache(maxsize=256)
def written(distance: int, count: int, language: str, part: str, seed: int) -> tuple[Sentence, ...]:
    """The sentences, kept, since the same ones are asked for again and again."""
    rng = np.random.default_rng([seed, distance, count, *language.encode()])
    write = {"en": english, "zh": chinese}[language]
    sentences = (write(rng, distance) for _ in itertools.count())
    return tuple(itertools.islice((s for s in sentences if s.part == part), count))


def encode_words(sentences: Sequence[Sentence], language: str = "en") -> np.ndarray:
    """Sentences of one length -> the numbers of their words in `WORDS[language]`, (count, words).

    Raises:
        ValueError: sentences of different lengths, or a word of another language.
    """
    one_length(sentences)
    number = {word: k for k, word in enumerate(WORDS[language])}
    unknown = {word for sentence in sentences for word in sentence.words} - set(number)
    if unknown:
        raise ValueError(f"`sentences` must be of {language!r}. Received: {sorted(unknown)[0]!r}")
    return np.array([[number[word] for word in s.words] for s in sentences], "int32")


def one_length(sentences: Sequence[Sentence]) -> int:
    """The number of words that every sentence has."""
    lengths = sorted({len(sentence.words) for sentence in sentences})
    if len(lengths) != 1:
        raise ValueError(f"`sentences` must have one length. Received: lengths={lengths}")
    return lengths[0]


def asked(sentences: Sequence[Sentence]) -> np.ndarray:
    """1 at each word whose successor depends on an earlier word, else 0: (count, words).

    Raises:
        ValueError: sentences of different lengths.
    """
    marks = np.zeros((len(sentences), one_length(sentences)), "float32")
    for row, sentence in enumerate(sentences):
        marks[row, [dependency.target - 1 for dependency in (sentence.long, *sentence.short)]] = 1
    return marks


def right_answers(
    scores: np.ndarray, sentences: Sequence[Sentence], which: str = "long", language: str = "en"
) -> np.ndarray:
    """Share of the dependencies for which the right forms are likelier than the wrong ones: (...).

    Args:
        scores: logits of the next word after each word, (..., count, words, vocabulary).
        which: "long", or "short" for those inside the clauses.

    Raises:
        ValueError: another `which`, sentences without a short dependency, or scores of other
            sentences or of another language.
    """
    if which not in ("long", "short"):
        raise ValueError(f"`which` must be 'long' or 'short'. Received: which={which!r}")
    number = {word: k for k, word in enumerate(WORDS[language])}
    count, words, size = np.shape(scores)[-3:]
    if (count, size) != (len(sentences), len(number)) or words < one_length(sentences) - 2:
        raise ValueError(
            f"`scores` must have shape (…, {len(sentences)}, {one_length(sentences)}, "
            f"{len(number)}), for `sentences` in {language!r}. Received: {np.shape(scores)}"
        )
    found = []
    for row, sentence in enumerate(sentences):
        for one in (sentence.long,) if which == "long" else sentence.short:
            logits = scores[..., row, one.target - 1, :]
            p = np.exp(logits - logits.max(-1, keepdims=True))
            right, wrong = ([number[word] for word in words] for words in (one.right, one.wrong))
            found.append(p[..., right].sum(-1) > p[..., wrong].sum(-1))
    if not found:
        raise ValueError("`sentences` must have short dependencies. Received: none in any sentence")
    return np.mean(found, axis=0)


# --- the two grammars -----------------------------------------------------------------------


class Writer:
    """Puts a sentence together, with its dependencies and its key."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.words: list[str] = []
        self.key: list[str] = []
        self.short: list[Dependency] = []

    def add(self, word: str, key: str | None = None) -> int:
        """Write a word -> its place. `key` stands for it where agreement decides it."""
        self.words.append(word)
        self.key.append(word if key is None else key)
        return len(self.words) - 1

    def pick(self, words: Sequence[str], key: str | None = None) -> int:
        return self.add(words[self.rng.integers(len(words))], key)

    def counted(self, kinds: dict[str, list[str]]) -> None:
        """两 位 朋友: a number, a classifier and a noun that fits it."""
        self.pick(NUMBERS)
        kind = list(kinds)[self.rng.integers(len(kinds))]
        source = self.add(kind)
        target = self.pick(kinds[kind])
        every = THINGS | PEOPLE
        wrong = tuple(word for other in every if other != kind for word in every[other])
        self.short.append(Dependency(source, target, tuple(every[kind]), wrong))

    def finish(self, long: Dependency) -> Sentence:
        return Sentence(tuple(self.words), long, tuple(self.short), tuple(self.key))


def plan(rng: np.random.Generator, words: int, language: str) -> list[dict[str, int]]:
    """How often each part stands in each clause, so that all clauses together have `words` more."""
    costs = COSTS[language]
    while True:
        clauses, left = [dict.fromkeys(costs, 0)], words
        while left:
            last = clauses[-1]
            fits = [
                part
                for part, cost in costs.items()
                if cost <= left and last[part] < (last["place"] if part == "place adjective" else 1)
            ]
            if not fits:
                break
            part = fits[rng.integers(len(fits))]
            left -= costs[part]
            last[part] += 1
            if part == "clause":
                clauses.append(dict.fromkeys(costs, 0))
        if not left:
            return clauses


def english(rng: np.random.Generator, distance: int) -> Sentence:
    text = Writer(rng)

    def noun() -> tuple[int, bool]:
        stem, plural = NOUNS[rng.integers(len(NOUNS))], bool(rng.integers(2))
        return text.add(stem + "s" * plural, stem), plural

    text.add("the")
    subject, plural = noun()
    for number, clause in enumerate(plan(rng, distance - 6, "en") if distance else []):
        for word in ("and", "the") if number else (",", "which", "the"):
            text.add(word)
        if clause["adjective"]:
            text.pick(ADJECTIVES)
        source, several = noun()
        if clause["adverb"]:
            text.pick(ADVERBS)
        stem = VERBS[rng.integers(len(VERBS))]
        forms = (stem + "s", stem)
        target = text.add(forms[several], stem)
        text.short.append(Dependency(source, target, (forms[several],), (forms[not several],)))
        if clause["place"]:
            text.pick(PLACES)
            text.add("the")
            if clause["place adjective"]:
                text.pick(ADJECTIVES)
            noun()
    if distance:
        text.add(",")
    target = text.add(BE[plural], "be")
    text.pick(ENDS)
    return text.finish(Dependency(subject, target, (BE[plural],), (BE[not plural],)))


def chinese(rng: np.random.Generator, distance: int) -> Sentence:
    text = Writer(rng)
    text.add("那")
    kind, other = rng.permutation(list(HEADS)).tolist()
    source = text.add(kind, "量词")
    for number, clause in enumerate(plan(rng, distance - 3, "zh") if distance else []):
        if number:
            text.add("、")
        text.pick(SUBJECTS)
        if clause["time"]:
            text.pick(TIMES)
        if clause["adverb"]:
            text.pick(OFTEN)
        if clause["company"]:
            text.add("和")
            text.counted(PEOPLE)
            text.add("一起")
        if clause["place"]:
            text.add("在")
            text.counted(THINGS)
            text.add("旁边")
        text.pick(ACTS)
    if distance:
        text.add("的")
    target = text.pick(HEADS[kind], "名词")
    text.add("很")
    text.pick(PRAISE)
    return text.finish(Dependency(source, target, tuple(HEADS[kind]), tuple(HEADS[other])))
