"""Each view shows its language and no other, and no markup: in text, titles and descriptions."""

import re

import pytest
from reader import CHOOSE, PAGES, TWINS, prose

HAN = re.compile(r"[\u3400-\u9fff]+")
LATIN = re.compile(r"(?:[A-Za-z][A-Za-z'’-]*[,;:]? ){3,}[A-Za-z][A-Za-z'’-]*")
# Words that a text in the other language speaks about.
EXAMPLES = {
    "en": [
        *("一刀两断", "伊刀两断"),  # language-model: two that sound alike
        *("道远任重", "平", "仄", "持", "西"),  # sampling: an idiom, tones, a rhyme
        *("(量词)", "那只 … 的猫", "那本 … 的书"),  # gru: a classifier, and what it depends on
        *("长大成人", "长大", "长短", "长"),  # bidirectional: a character with two readings
    ],
    "zh": [
        "the dog , which the boy follows , was curious",  # sequences: words and their numbers
        *("miss rose sees the dog", "the rose sees miss dog"),  # the same words in another order
        "the apple and pear salad was delicious",  # language-model: two that sound alike
        "The apple and pear salad was delicious",
        "the apple and pair salad",
        # whether a verb agrees with a noun far away
        "the cat , which the dogs often see ,",
        "The cat, which the dogs near the old house see every day, was hungry",
        "The cat, which the dogs near the old house see every day, were hungry",
        "The cats, which the old dog near the king often sees, were hungry",
        "the cat, which the dogs near the old house see",
    ],
}
RAW = re.compile(r"\{[a-z:-]+\}`|:::|```|\\(?:label|tag|begin|ref)|\$|\*\*|\]\(|^#+ |`", re.M)
# The tip of a term shows it in the other language.
SPOKEN = """() => ["title", "alt", "aria-label", "placeholder"].flatMap((name) =>
  [...document.querySelectorAll(`body [${name}]:not(.keep, .keep *, .language-switch *, a.term)`)]
    .filter((element) => element.checkVisibility())
    .map((element) => element.getAttribute(name)))"""


def strangers(text, language):
    """What of a view in this language is in the other one."""
    for example in EXAMPLES[language]:
        text = text.replace(example, "")
    return {"en": HAN, "zh": LATIN}[language].findall(text)


@pytest.mark.parametrize("name", PAGES)
def test_each_view_shows_its_language_and_no_markup(visitor, name):
    page = visitor().open(name)
    words, spoken, titles = {}, {}, {}
    for view in ("en", "zh", "both"):
        page.evaluate(CHOOSE, view)
        words[view] = prose(page)
        spoken[view] = "\n".join(page.evaluate(SPOKEN))
        titles[view] = page.title()
        markup = RAW.findall(words[view])
        assert markup == [], view
    chinese = "".join(HAN.findall(words["zh"]))
    assert len(words["en"].split()) > 40 and len(chinese) > 60
    for seen in (words, spoken, titles):
        in_english, in_chinese = strangers(seen["en"], "en"), strangers(seen["zh"], "zh")
        assert in_english == []
        assert in_chinese == []
        separated = re.findall(".* · .*", seen["en"] + "\n" + seen["zh"])
        assert separated == []
        both = seen["both"]
        assert HAN.search(both) and re.search(r"[A-Za-z]{3}", both)


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_shows_no_english(visitor, name):
    page = visitor().open(name)
    words = prose(page)
    assert len("".join(HAN.findall(words))) > 60
    for text in (words, "\n".join(page.evaluate(SPOKEN)), page.title()):
        english, separated, markup = strangers(text, "zh"), " · " in text, RAW.findall(text)
        assert english == []
        assert not separated
        assert markup == []
