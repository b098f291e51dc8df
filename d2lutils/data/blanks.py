"""Sentences whose middle only the end makes clear, in English and in Chinese, by enumeration.

    I am ___ .              happy, tired, hungry, …
    I am ___ hungry .       not, very
    I am ___ hungry , and can eat half a pig .                      very
    " Teddy Roosevelt was a great president . "                     Teddy is a name
    " Teddy bears are sold here . "                                 Teddy is none

Source   the lists below, written for this book
Licence  MIT, as all of its code
Size     every combination: some hundreds of sentences a task and language
Split    by what can be seen: a hash of the sentence with its blank (or of its words) sends a
         quarter to the held-out part, so that no sentence is on both sides, whatever fills it
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BLANK = "___"


@dataclass(frozen=True)
class Sentence:
    """Words, the place that is asked about, and the right answer there."""

    words: tuple[str, ...]
    place: int
    answer: str

    def __str__(self) -> str:
        return f"{' '.join(self.words)} -> {self.answer}"

    def seen(self, sides: str) -> tuple[str, ...]:
        """What a reader of one side ("left": up to the place) or of "both" sides has seen."""
        return self.words[: self.place + 1] if sides == "left" else self.words


# Who, and the word by which the rest of the sentence may call them.
WHO = {
    "en": (
        *("I am", "you are", "we are", "they are", "she is", "he is", "Mary is", "John is"),
        *("my sister is", "our neighbours are"),
    ),
    "zh": (*"我 你 他 她 我们 他们 弟弟 妹妹 老师 邻居".split(),),
}
# A state, then what follows if it is strong, then what follows if it is not there.
STATES = {
    "en": {
        "hungry": (
            ("and can eat half a pig", "and could eat a horse", "so let us cook at once"),
            ("after such a big lunch", "so keep the cake", "and will skip dinner"),
        ),
        "thirsty": (
            ("and can drink half a lake", "so bring more water", "after all that salt"),
            ("after so much tea", "so keep the lemonade", "and will skip the juice"),
        ),
        "tired": (
            ("and can sleep for a week", "after a night without sleep", "and must lie down now"),
            ("after such a long sleep", "so let us dance on", "and will walk home"),
        ),
        "cold": (
            ("and need three blankets", "so close the window", "without coat and gloves"),
            ("in this thick coat", "so open the window", "and will swim in the lake"),
        ),
    },
    "zh": {
        "饿": (
            ("能 吃下 半头 猪", "吃得下 一匹 马", "快 做饭 吧"),
            ("刚 吃过 午饭", "蛋糕 留着 吧", "晚饭 不 吃 了"),
        ),
        "渴": (
            ("能 喝下 半个 湖", "快 拿 水 来", "刚才 吃得 太 咸"),
            ("刚 喝了 很多 茶", "汽水 留着 吧", "果汁 不 喝 了"),
        ),
        "困": (
            ("能 睡 一个 星期", "昨夜 没 合眼", "要 躺 一会儿"),
            ("刚 睡醒", "接着 跳舞 吧", "还 能 走 回家"),
        ),
        "冷": (
            ("要 盖 三床 被子", "快 关上 窗户", "没 穿 外套"),
            ("外套 很 厚", "快 打开 窗户", "还 要 去 游泳"),
        ),
    },
}
STRONG = {"en": ("very", "not"), "zh": ("很", "不")}
# Words that are names here and common words there; what follows a name; what follows the word.
BOTH = {
    "en": "Teddy Rose Grace Jack Olive Ruby Robin Frank".split(),
    "zh": "泰迪 高峰 白雪 向阳 杨柳 方圆 江河 金星".split(),
}
NAMED = {
    "en": ("Roosevelt", "Kennedy", "Hopper", "London", "Bridges", "Sinatra"),
    "zh": ("罗斯福", "先生", "教授", "老师", "医生", "同学"),
}
NAMED_DOES = {
    "en": ("was a great president .", "gave a long speech .", "left the room ."),
    "zh": ("是 一位 伟大 的 总统 。", "讲 了 很久 。", "离开 了 房间 。"),
}
THING = {
    "en": ("bears", "gardens", "notes", "rabbits", "trees", "eggs"),
    "zh": ("熊", "时段", "公主", "花", "枝条", "水位"),
}
THING_DOES = {
    "en": ("are sold here .", "were on the table .", "are too small ."),
    "zh": ("在 这里 卖 。", "画 在 纸 上 。", "太 小 了 。"),
}
SAYS = {
    "en": ("he said ,", "she said ,", "they wrote :"),
    "zh": ("他 说 ：", "她 说 ：", "书 上 写 ："),
}
PARTS = "train", "held_out"
LANGUAGES = "en", "zh"


def fill_in(language: str = "en", part: str = "train") -> list[Sentence]:
    """*I am ___ .* and its like: which word stands in the blank?

    Args:
        language: "en" or "zh".
        part: "train" or "held_out".

    Raises:
        ValueError: another language or part.
    """
    check(language, part)
    end, comma = (".", ",") if language == "en" else ("。", "，")
    found = []
    for who in WHO[language]:
        start = [*who.split(), BLANK]
        place = len(start) - 1
        for state, follows in STATES[language].items():
            found.append(Sentence((*start, end), place, state))
            for word, ends in zip(STRONG[language], follows, strict=True):
                found.append(Sentence((*start, state, end), place, word))
                for rest in ends:
                    words = (*start, state, comma, *rest.split(), end)
                    found.append(Sentence(words, place, word))
    return [sentence for sentence in found if part_of(sentence) == part]


def names(language: str = "en", part: str = "train") -> list[Sentence]:
    """*Teddy Roosevelt …* and *Teddy bears …*: is the word a name ("name") or not ("word")?

    Args: language, part: as for `fill_in`. Raises: ValueError, likewise.
    """
    check(language, part)
    kinds = (
        ("name", NAMED[language], NAMED_DOES[language]),
        ("word", THING[language], THING_DOES[language]),
    )
    found = []
    for says in SAYS[language]:
        for first in BOTH[language]:
            for kind, seconds, does in kinds:
                for second in seconds:
                    for rest in does:
                        words = (*says.split(), first, second, *rest.split())
                        found.append(Sentence(words, len(says.split()), kind))
    return [sentence for sentence in found if part_of(sentence) == part]


def check(language: str, part: str) -> None:
    if language not in LANGUAGES:
        raise ValueError(f"`language` must be one of {LANGUAGES}. Received: language={language!r}")
    if part not in PARTS:
        raise ValueError(f"`part` must be one of {PARTS}. Received: part={part!r}")


def not_empty(sentences: Sequence[Sentence]) -> None:
    if not sentences:
        raise ValueError("`sentences` must hold at least one. Received: none")


def part_of(sentence: Sentence) -> str:
    """A quarter of all sentences is held out; the answer has no say in it."""
    digest = hashlib.sha256(" ".join(sentence.words).encode()).digest()
    return "held_out" if digest[0] < 64 else "train"


def ceiling(sentences: Sequence[Sentence], sides: str) -> float:
    """The largest accuracy that anyone can have on these sentences who sees so much of them.

    Sentences that look alike up to there get the same answer; the best is their commonest one.

    Args:
        sides: "left" (the words up to the place) or "both".

    Raises:
        ValueError: no sentences, or other sides.
    """
    not_empty(sentences)
    if sides not in ("left", "both"):
        raise ValueError(f"`sides` must be 'left' or 'both'. Received: sides={sides!r}")
    answers: dict[tuple, Counter] = defaultdict(Counter)
    for sentence in sentences:
        answers[sentence.seen(sides)][sentence.answer] += 1
    return sum(max(count.values()) for count in answers.values()) / len(sentences)


def to_arrays(
    sentences: Sequence[Sentence], words: Sequence[str], answers: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sentences as numbers -> x (n, steps), y (n, steps), weights (n, steps), padded with 0.

    x counts `words` from 1; y is the place in `answers` where `weights` is one, else 0.

    Raises:
        ValueError: no sentences, or one with a word or an answer that the lists lack.
    """
    not_empty(sentences)
    number = {word: k for k, word in enumerate(words, 1)}
    class_of = {answer: k for k, answer in enumerate(answers)}
    for name, known, used in (
        ("words", number, {word for sentence in sentences for word in sentence.words}),
        ("answers", class_of, {sentence.answer for sentence in sentences}),
    ):
        if missing := sorted(used - set(known)):
            raise ValueError(
                f"`{name}` must hold all that `sentences` use. Missing: {', '.join(missing)}"
            )
    steps = max(len(sentence.words) for sentence in sentences)
    x, y = np.zeros((2, len(sentences), steps), "int32")
    weights = np.zeros((len(sentences), steps), "float32")
    for k, sentence in enumerate(sentences):
        x[k, : len(sentence.words)] = [number[word] for word in sentence.words]
        y[k, sentence.place] = class_of[sentence.answer]
        weights[k, sentence.place] = 1
    return x, y, weights
