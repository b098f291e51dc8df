"""Wrong uses, each with the words of the message that it must give.

The tables: `WRONG` in test_protocol.py is for the layers; here `WRONG` for data, language models
and training, `WRONG_TEXTS` for what is written in a text, `WRONG_COMMANDS` for how the build is
called and what it finds, `WRONG_PAGES` for the website, which test_site.py begins in `FAULTS`.
Each has a row for each use, so that the sum of their lengths is the number of wrong uses; a few
more stand beside what they belong to (test_tools.py, test_data_*.py, test_language.py).
"""

import functools
import shutil
import sys
from importlib import metadata
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
import test_site
import test_tools

import chapters
import lint
from d2lutils import GRU, LSTM
from d2lutils.copies import start_copies, train_copies
from d2lutils.data import (
    WORDS,
    TextSplit,
    agreement,
    asked,
    best_reader,
    encode_words,
    keras_source,
    load_text,
    regimes,
    right_answers,
)
from d2lutils.data.blanks import ceiling, fill_in, to_arrays
from d2lutils.data.pinyin import Readings
from d2lutils.language import (
    LanguageModel,
    NGram,
    Vocabulary,
    bits_per_character,
    sample,
    train_language_model,
)
from d2lutils.pretrained import held_out_sample, load_characters, save_characters
from d2lutils.train import fit

book, built = test_tools.book, test_tools.built  # fixtures
edit = test_tools.edit

HERE = Path(__file__).parent
RETURNS = {"return_sequences": True, "return_state": True}


# --- data, language models, training --------------------------------------------------------------


@functools.cache
def network() -> LanguageModel:
    """A model over a vocabulary of four tokens."""
    model = LanguageModel(GRU(2, **RETURNS), 4, 2)
    model.build((None, None))
    return model


def dense(compiled: bool = True) -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    if compiled:
        model.compile("sgd", "mse")
    return model


def learn(layer=None, tokens=(1, 2, 3), **options) -> LanguageModel:
    recurrent = layer or functools.partial(GRU, 2)
    return train_language_model(recurrent, np.array(tokens), 4, **{"updates": 2, **options})


def one_step(X, H, W_xh, b_h):
    return X @ W_xh + H + b_h


def readings(**phrases: str) -> dict:
    return {phrase: tuple(read.split()) for phrase, read in phrases.items()}


X, Y = np.zeros((4, 3), "float32"), np.zeros((4, 1), "float32")
SENTENCES = agreement(6, 2)
SCORES = np.zeros((2, 9, len(WORDS["en"])))
BLANKS = fill_in("en")
SPLIT = TextSplit("train", "validation", "held out", "validation", "held out", {})
NGRAM = NGram([1, 2, 1, 3], 2, 4)

WRONG = {
    # texts from outside
    "a misspelt scheme": (
        lambda: load_text("htp://example.org/a.txt"),
        r"`source` must be the path of a file or a URL .*'https'.*htp://example.org/a.txt",
    ),
    "a folder for a text": (lambda: load_text(HERE), r"`source` must be the path of a file.*tests"),
    "no source": (lambda: load_text(None), r"`source` must be a path or a URL.*source=None"),
    "an MD5 checksum": (
        lambda: load_text(__file__, sha256="d41d8cd98f00b204e9800998ecf8427e"),
        r"`sha256` must be 64 hexadecimal digits.*d41d8cd9",
    ),
    "a family's name without a tuple": (
        lambda: keras_source("rnn"),
        r"`held_out` must be a tuple of names.*'rnn'",
    ),
    "a held-out text too short to sample": (
        lambda: held_out_sample(SPLIT),
        r"`text.held_out` hold 2560 characters or more.*8 characters",
    ),
    "no pieces of the held-out text": (
        lambda: held_out_sample(SPLIT, pieces=0, length=3),
        r"`pieces` must be at least 1.*pieces=0",
    ),
    # sentences, readings, series
    "marks for sentences of two lengths": (
        lambda: asked(agreement(6, 1) + agreement(8, 1)),
        r"`sentences` must have one length.*\[10, 12\]",
    ),
    "no sentences": (lambda: encode_words([]), r"`sentences` must have one length.*\[\]"),
    "scores over another vocabulary": (
        lambda: right_answers(SCORES[..., 1:], SENTENCES),
        r"`scores` must have shape \(…, 2, 10, 52\).*'en'.*\(2, 9, 51\)",
    ),
    "scores of fewer sentences": (
        lambda: right_answers(SCORES[:1], SENTENCES),
        r"`scores` must have shape \(…, 2, 10, 52\).*\(1, 9, 52\)",
    ),
    "scores that end before the verb": (
        lambda: right_answers(SCORES[:, :7], SENTENCES),
        r"`scores` must have shape \(…, 2, 10, 52\).*\(2, 7, 52\)",
    ),
    "a blank's word that the list lacks": (
        lambda: to_arrays(BLANKS, ["I", "am"], ["very", "not"]),
        r"`words` must hold all that `sentences` use.*hungry",
    ),
    "a blank's answer that the list lacks": (
        lambda: to_arrays(BLANKS, sorted({w for s in BLANKS for w in s.words}), ["very", "not"]),
        r"`answers` must hold all that `sentences` use.*hungry",
    ),
    "arrays of no sentences": (lambda: to_arrays([], [], []), r"`sentences` must hold at least"),
    "the ceiling of no sentences": (
        lambda: ceiling([], "left"),
        r"`sentences` must hold at least one",
    ),
    "a phrase of five characters": (
        lambda: Readings({}, {}, {}).encode(readings(一二三四五="yī èr sān sì wǔ")),
        r"`phrases` must map up to 4 characters.*'一二三四五'",
    ),
    "a reading too few": (
        lambda: Readings({}, {}, {}).encode(readings(长大="zhǎng")),
        r"`phrases` must map .* to as many readings.*'长大': \('zhǎng',\)",
    ),
    "series without noise": (
        lambda: regimes(2, 5, noise=0.0),
        r"`noise` must be positive.*noise=0\.0",
    ),
    "one series without its axis": (
        lambda: best_reader(np.zeros(9)),
        r"`returns` must have shape \(series, steps\).*\(9,\)",
    ),
    "a step that misses a weight": (
        lambda: train_copies(
            one_step, start_copies("h", 1, 4, 3, 4), [(np.ones((2, 3), "int32"),) * 2 + (1.0,)]
        ),
        r"one_step\(\) got an unexpected keyword argument 'W_hh'",
    ),
    # vocabulary
    "words for a text": (
        lambda: Vocabulary(["the", "cat"]),
        r"`text` must be a string .*\['the', 'cat'\]",
    ),
    "a minimum that nothing reaches": (
        lambda: Vocabulary("abba", minimum=3),
        r"`minimum` must be at most 2.*minimum=3",
    ),
    "a token twice": (
        lambda: Vocabulary.from_tokens("aba"),
        r"`tokens` must be different.*'a'",
    ),
    "a number beyond the vocabulary": (
        lambda: Vocabulary("abc").decode([1, 4]),
        r"`numbers` must lie in 0 … 3.*1 … 4",
    ),
    "a number below the vocabulary": (
        lambda: Vocabulary("abc").decode([-1]),
        r"`numbers` must lie in 0 … 3.*-1",
    ),
    "probabilities for numbers": (
        lambda: Vocabulary("abc").decode([0.2, 0.8]),
        r"`numbers` must be whole numbers.*float64",
    ),
    "a batch of numbers": (
        lambda: Vocabulary("abc").decode([[1, 2]]),
        r"`numbers` must be one sequence.*\(1, 2\)",
    ),
    # n-grams
    "a text for its numbers": (
        lambda: NGram("abab", 2, 3),
        r"`tokens` must be whole numbers, as `Vocabulary.encode` gives.*'abab'",
    ),
    "a batch of tokens": (
        lambda: NGram([[1, 2]], 2, 3),
        r"`tokens` must be one sequence.*\(1, 2\)",
    ),
    "a higher order than was counted": (
        lambda: NGRAM.log2_probabilities([1], order=3),
        r"`order` must lie in 1 … 2.*order=3",
    ),
    "a history of another vocabulary": (
        lambda: NGRAM.probabilities([9]),
        r"`history` must lie in 0 … 3.*9",
    ),
    # the network
    "a layer without its sequence": (
        lambda: LanguageModel(LSTM(3, return_state=True), 4),
        r"`recurrent` must be a layer with return_sequences=True and return_state=True.*LSTM",
    ),
    "a layer without its state": (
        lambda: LanguageModel(LSTM(3, return_sequences=True), 4),
        r"`recurrent` must be a layer with return_sequences=True and return_state=True.*LSTM",
    ),
    "a dropout above one": (
        lambda: LanguageModel(LSTM(3, **RETURNS), 4, dropout=1.5),
        r"`rate`.*between 0 and 1.*1\.5",
    ),
    "tokens of another vocabulary": (
        lambda: bits_per_character(network(), [1, 7]),
        r"`tokens` must lie in 0 … 3.*1 … 7",
    ),
    "no streams": (
        lambda: bits_per_character(network(), [1, 2], streams=0),
        r"`streams` must be at least 1.*streams=0",
    ),
    "a sample by another vocabulary": (
        lambda: sample(network(), Vocabulary("abcdef"), 5),
        r"`vocabulary` must be the model's, of 4 tokens.*one of 7",
    ),
    "a sample of negative length": (
        lambda: sample(network(), Vocabulary("abc"), -5),
        r"`length` must not be negative.*length=-5",
    ),
    # training
    "a layer for what makes one": (
        lambda: learn(GRU(2)),
        r"`recurrent` must be a function that makes the layer.*partial.*GRU",
    ),
    "no updates": (lambda: learn(updates=0), r"`updates` must be at least 1.*updates=0"),
    "more reports than updates": (
        lambda: learn(reports=3),
        r"`reports` must be at most `updates`.*reports=3, updates=2",
    ),
    "training on another vocabulary": (
        lambda: learn(tokens=(1, 2, 9)),
        r"`tokens` must lie in 0 … 3.*1 … 9",
    ),
    "inputs without targets": (lambda: fit(dense(), (X,)), r"`train` must be \(inputs, targets\)"),
    "targets of another length": (
        lambda: fit(dense(), (X, Y[:2])),
        r"(?i)make sure all arrays contain the same number of samples",
    ),
    "an optimizer that is none": (
        lambda: fit(dense(False), (X, Y), loss="mse", optimizer="adamm"),
        r"adamm",
    ),
    "a backup of a model not built": (
        lambda: fit(keras.Sequential([keras.layers.Dense(1)]), (X, Y), loss="mse", backup="b"),
        r"`backup` needs a built model: give it an `Input`",
    ),
    "a backup that is none": (
        lambda: fit(dense(), (X, Y), backup=__file__),
        r"`backup` .*test_wrong_use.py cannot be read, delete it",
    ),
    # stored weights
    "weights of an unknown kind to save": (
        lambda: save_characters("transformer", network(), Vocabulary("abc"), {}),
        r"`kind` must be one of \['rnn', 'gru', 'lstm'\].*'transformer'",
    ),
    "a folder without weights": (
        lambda: load_characters("gru", HERE),
        r"tests.characters-gru\.json is missing: .*make models",
    ),
}


@pytest.mark.parametrize("use", WRONG)
def test_wrong_use_is_named(use):
    action, message = WRONG[use]
    with pytest.raises((ValueError, TypeError, OSError), match=f"(?s){message}"):
        action()


# --- texts ----------------------------------------------------------------------------------------

WRONG_TEXTS = {  # what to write instead of what, and what the build then says
    "tags that are no list": (
        ":tags: [hide-cell]",
        ":tags: hide-cell",
        r"text/toy\.md: 'hide-cell' is not of type 'array'.*tags",
    ),
    "a figure described in one language": (
        '"a line", "zh": "一条线：直的"',
        '"a line"',
        r"code cell 7 .*alt describes the figure in both languages.*\{'en': 'a line'\}",
    ),
    "a figure described by bare words": (
        '{"en": "a line", "zh": "一条线：直的"}',
        "a line",
        r"code cell 7 .*alt describes the figure in both languages.*'a line'",
    ),
    "a figure described by nothing": (
        '"zh": "一条线：直的"',
        '"zh": ""',
        r"code cell 7 .*alt describes the figure in both languages",
    ),
    "an unknown language": (
        '{"lang": "en"}',
        '{"lang": "de"}',
        r"markdown cell 2 .*unknown language de; known are en, zh",
    ),
    "a label twice": (
        "y = 2 x \\label{eq:toy-double}",
        "y = 2 x \\label{eq:toy-double} \\\\ z = y \\label{eq:toy-double}",
        r"text/toy\.md: label 'eq:toy-double' is used twice",
    ),
    "a link to an equation nowhere": (
        "[](#eq:toy-double)",
        "[](lstm.ipynb#eq:lstm-memory)",
        r"text/toy\.md: a link to 'eq:lstm-memory', which no equation has",
    ),
    "a quoted method that is not there": (
        "toy.Toy\n",
        "toy.Toy.triple\n",
        r"quote 'd2lutils.toy.Toy.triple': d2lutils.toy\.py defines no 'triple'",
    ),
    "a whole module quoted": (
        "d2lutils.toy.Toy\n",
        "d2lutils.toy\n",
        r"quote 'd2lutils.toy': expected a definition, such as d2lutils\.gru\.GRUCell",
    ),
    "another library quoted": (
        "d2lutils.toy.Toy\n",
        "keras.layers.GRU\n",
        r"quote 'keras.layers.GRU': expected a definition, such as d2lutils\.gru\.GRUCell",
    ),
    "an option never closed": (
        ":tags: [hide-cell]",
        ":tags: [hide-cell",
        r"text/toy\.md: .*parsing",
    ),
    "a cell of broken code": ("OTHER)", "OTHER))", r"text/toy\.md, cell 7: unmatched '\)'"),
}


@pytest.mark.parametrize("use", WRONG_TEXTS)
@pytest.mark.parametrize("tool", [chapters, lint])
def test_a_wrong_text_is_named(book, tool, use, monkeypatch):
    old, new, message = WRONG_TEXTS[use]
    edit(book.text("toy"), old, new)
    if tool is lint and use == "a cell of broken code":
        message = r"text/toy\.md:\d+:\d+: .*Expected a statement"  # in Ruff's words
    assert_says(tool, book, [], message, monkeypatch)


def assert_says(tool, book, arguments, message, monkeypatch) -> None:
    """The command ends with this message, not with a traceback."""
    monkeypatch.setattr(sys, "argv", ["tool", *arguments])
    with pytest.raises(SystemExit, match=f"(?s){message}"):
        tool.main(book.root)


# --- commands -------------------------------------------------------------------------------------


def beside(name: str, content: str | bytes):
    """A file that somebody names on the command line."""
    content = content.encode() if isinstance(content, str) else content
    return lambda book: (book.root / name).write_bytes(content)


def cut(book) -> None:
    whole = book.notebook("toy").read_bytes()
    (book.root / "mine.ipynb").write_bytes(whole[: len(whole) // 2])


def files(book) -> dict[Path, bytes]:
    """What lies in the book, apart from the folder of things built."""
    found = (path for path in book.root.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in found if "_build" not in path.parts}


def draft(book) -> None:
    cells = [nbformat.v4.new_markdown_cell("# Mine")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), book.root / "Untitled.ipynb")


def other_chapter(book) -> None:
    notebook = chapters.stored(book, "toy")
    notebook.metadata.book.chapter = "../toy"
    nbformat.write(notebook, book.root / "mine.ipynb")


NOTHING = lambda book: None
WRONG_COMMANDS = {  # what is done before, how the build is called, what it says
    "an unknown chapter": (NOTHING, ["toys"], r"no text/toys\.md; there are: toy"),
    "an unknown chapter to check": (
        NOTHING,
        ["--check", "toys"],
        r"no text/toys\.md; there are: toy",
    ),
    "a file for a chapter's name": (NOTHING, ["text/toy.md"], r"no text/.*; there are: toy"),
    "an edited notebook that is not there": (
        NOTHING,
        ["--back", "mine.ipynb"],
        r"mine\.ipynb cannot be read: No such file",
    ),
    "a folder for an edited notebook": (NOTHING, ["--back", "text"], r"text cannot be read"),
    "a text for an edited notebook": (
        NOTHING,
        ["--back", "text/toy.md"],
        r"toy\.md is no notebook",
    ),
    "a page for an edited notebook": (
        beside("mine.ipynb", "<!DOCTYPE html>"),
        ["--back", "mine.ipynb"],
        r"mine\.ipynb is no notebook: .*JSON",
    ),
    "other JSON for an edited notebook": (
        beside("mine.ipynb", "{}"),
        ["--back", "mine.ipynb"],
        r"mine\.ipynb is no notebook",
    ),
    "an edited notebook without cells": (
        beside("mine.ipynb", '{"metadata": {}, "nbformat": 4, "nbformat_minor": 5}'),
        ["--back", "mine.ipynb"],
        r"mine\.ipynb is no notebook: .*missing an expected key: cells",
    ),
    "half an edited notebook": (cut, ["--back", "mine.ipynb"], r"mine\.ipynb is no notebook"),
    "a notebook of no chapter": (
        draft,
        ["--back", "Untitled.ipynb"],
        r"Untitled\.ipynb belongs to no chapter: there is no text/Untitled\.md, only toy.*empty",
    ),
    "a notebook of a chapter elsewhere": (
        other_chapter,
        ["--back", "mine.ipynb"],
        r"mine\.ipynb belongs to no chapter: there is no text/\.\./toy\.md",
    ),
    "a text that is not UTF-8": (
        lambda book: book.text("toy").write_bytes("门".encode("gb18030")),
        [],
        r"text/toy\.md is not UTF-8: .*0xc3",
    ),
    "a library that cannot be parsed": (
        lambda book: edit(book.root / "d2lutils/toy.py", "def double(", "def double"),
        [],
        r"toy\.py, line 12: .*def doubleself",
    ),
    "a package that is not installed": (
        lambda book: edit(book.root / "pyproject.toml", "nbformat>=5", "no-such-package>=5"),
        ["--force"],
        r"no-such-package \(none\) is installed, requirements\.txt says nothing.*make chapters",
    ),
    "another version than the locked one": (
        lambda book: edit(book.root / "requirements.txt", metadata.version("nbformat"), "1.0"),
        ["--force"],
        r"nbformat [\d.]+ is installed, requirements\.txt says 1\.0.*make chapters",
    ),
}


@pytest.mark.parametrize("use", WRONG_COMMANDS)
def test_a_wrong_command_is_named_and_changes_nothing(built, use, monkeypatch):
    before, arguments, message = WRONG_COMMANDS[use]
    before(built)
    monkeypatch.chdir(built.root)
    kept = files(built)
    assert_says(chapters, built, arguments, message, monkeypatch)
    assert files(built) == kept


def test_what_an_edit_replaces_is_kept(built, monkeypatch, capsys):
    """The text may hold changes that nobody has committed."""
    shutil.copy(built.notebook("toy"), built.root / "mine.ipynb")
    edit(built.text("toy"), "A toy,", "A toy that is not committed,")
    before = built.text("toy").read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["tool", "--back", str(built.root / "mine.ipynb")])
    chapters.main(built.root)
    assert built.text("toy").read_text(encoding="utf-8") == test_tools.TOY
    assert (built.root / "_build" / "toy.md").read_text(encoding="utf-8") == before
    assert str(built.root / "_build" / "toy.md") in capsys.readouterr().out


def test_a_new_chapter_from_a_notebook(built, monkeypatch):
    draft(built)
    built.text("Untitled").touch()
    monkeypatch.setattr(sys, "argv", ["tool", "--back", str(built.root / "Untitled.ipynb")])
    chapters.main(built.root)
    text = built.text("Untitled").read_text(encoding="utf-8")
    assert text.startswith("---\njupytext:") and text.endswith("\n# Mine\n")


# --- pages ----------------------------------------------------------------------------------------

WRONG_PAGES = {  # what the build of the website says
    "a figure described in one language": "needs `alt` with texts `en` and `zh`, not {'en': 'dot'}",
    "a figure described by bare words": "needs `alt` with texts `en` and `zh`, not a dot",
    "two labels in an equation": "not ['1.1'] and ['eq:y-one', 'eq:y-two']",
    "a number without a label": "not ['1.2'] and []",
    "a solution that begins with a heading": "cell 6: a heading needs a cell of its own",
    "a link to no page": "nowhere.ipynb",
    "a link to no heading": "no-such-heading",
    "an image that is not there": "missing.png",
    "a role": "Unknown interpreted text role",
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> str:
    """What the build says of a book with all of these."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "_ext").symlink_to(test_site.ROOT / "_ext")
    for file in ("_config.yml", "references.bib"):
        shutil.copy(test_site.ROOT / file, folder)
    image = nbformat.v4.new_output("display_data", data={"image/png": test_site.PNG})
    text, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [
        text("# Title"),
        code("draw()", outputs=[image], metadata={"alt": {"en": "dot"}}),
        code("draw()", outputs=[image], metadata={"alt": "a dot"}),
        text("$$ a \\tag{1.1}\\label{eq:y-one}\\label{eq:y-two} $$"),
        text("$$ a \\tag{1.2} $$"),
        text("## Solution\n\nand text", metadata={"tags": ["hide-cell"]}),
        text("[page](nowhere.ipynb) [heading](#no-such-heading) ![image](missing.png)"),
        text("{nonesuch}`word`"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, folder / "y.ipynb")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: y\n", "utf8")
    run = test_site.build(folder, folder)
    assert run.returncode != 0
    return run.stdout + run.stderr


@pytest.mark.parametrize("fault", WRONG_PAGES)
def test_a_wrong_page_is_named(refused, fault):
    assert WRONG_PAGES[fault] in refused
