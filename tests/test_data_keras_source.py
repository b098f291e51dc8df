"""Texts: Keras' source is split without a leak, and any text comes by path or URL, checked."""

import hashlib

import pytest

from d2lutils.data import drop_copied_lines, keras_source, load_text


@pytest.fixture(scope="module")
def source():
    return keras_source()


def long_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if len(line.strip()) > 30]


def test_no_long_line_is_on_both_sides(source):
    seen = set(long_lines(source.train))
    assert len(seen) > 5_000  # 15,613 in Keras 3.15, 6,134 in Keras 3.5
    for text in (source.validation, source.held_out):
        lines = long_lines(text)
        assert len(lines) > 500
        assert not seen.intersection(lines)


def test_the_whole_parts_do_leak_and_dropping_takes_nothing_else(source):
    seen = set(long_lines(source.train))
    for whole, text in (
        (source.validation_whole, source.validation),
        (source.held_out_whole, source.held_out),
    ):
        dropped = [line for line in long_lines(whole) if line in seen]
        assert dropped
        assert sorted(long_lines(whole)) == sorted(long_lines(text) + dropped)
        short = [
            [line for line in t.splitlines() if len(line.strip()) <= 30] for t in (whole, text)
        ]
        assert short[0] == short[1]


def test_families_are_whole_and_disjoint(source):
    owner = {}
    for part, families in source.families.items():
        for family, files in families.items():
            for file in files:
                assert file not in owner
                owner[file] = part, family
    assert owner["rnn/lstm.py"] == ("held_out", "rnn")
    for file, place in owner.items():
        tested = file.replace("_test.py", ".py")
        if file.endswith("_test.py") and tested in owner:
            assert owner[tested] == place
    dimensions = {owner[f"pooling/max_pooling{n}d.py"] for n in (1, 2, 3)}
    assert len(dimensions) == 1


def test_another_split_and_wrong_names(source):
    other = keras_source(held_out=("merging", "pooling"), validation=("rnn",))
    assert set(other.families["held_out"]) == {"merging", "pooling"}
    assert other.validation_whole == source.held_out_whole
    with pytest.raises(ValueError, match="`held_out` and `validation`.*poling"):
        keras_source(held_out=("poling",))
    with pytest.raises(ValueError, match="different families"):
        keras_source(held_out=("rnn",), validation=("rnn",))


def test_dropping_compares_lines_without_their_indentation():
    copied = "a line of more than thirty characters\n"
    train = "x = 1\n" + copied
    assert drop_copied_lines("    " + copied + "x = 1\ny = 2\n", train) == "x = 1\ny = 2\n"
    assert drop_copied_lines(copied.upper(), train) == copied.upper()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "two words.txt"
    path.write_bytes("\ufeffone\r\n二\r\n".encode())
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_text_by_path(file):
    path, digest = file
    assert load_text(path) == load_text(str(path), sha256=digest.upper()) == "one\n二\n"


def test_text_by_url(file, tmp_path):
    path, digest = file
    cache = str(tmp_path / "cache")
    assert load_text(path.as_uri(), sha256=digest, cache_dir=cache) == "one\n二\n"
    path.unlink()  # the second time it comes from the cache
    assert load_text(path.as_uri(), sha256=digest, cache_dir=cache) == "one\n二\n"


def test_two_urls_of_one_name_are_kept_apart(tmp_path):
    texts = []
    for folder in ("a", "b"):
        path = tmp_path / folder / "text.txt"
        path.parent.mkdir()
        path.write_text(folder)
        texts.append(load_text(path.as_uri(), cache_dir=str(tmp_path / "cache")))
    assert texts == ["a", "b"]


def test_wrong_checksum(file, tmp_path):
    path, digest = file
    wrong = "0" * 64
    with pytest.raises(ValueError, match=f"`sha256`.*{wrong}.*{digest}"):
        load_text(path, sha256=wrong)
    with pytest.raises(Exception, match="(?i)corrupt|hash"):
        load_text(path.as_uri(), sha256=wrong, cache_dir=str(tmp_path / "cache"))


def test_texts_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="`source`.*nowhere"):
        load_text(tmp_path / "nowhere.txt")
    empty = tmp_path / "empty.txt"
    empty.write_text(" \n\n")
    with pytest.raises(ValueError, match="empty.txt"):
        load_text(empty)
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="UTF-8"):
        load_text(binary)
