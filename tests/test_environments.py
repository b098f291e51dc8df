"""Runs elsewhere (`make test-env`): that they are what they say, and what they found."""

import datetime
import json
import re

import nbformat
import pytest
import yaml

import chapters
import environments
import library
from environments import BOOK, CIRCUMSTANCES, Place
from library import BookError

# --- what they run with ---------------------------------------------------------------------------


def test_every_locked_package_has_a_hash_and_no_line_says_where_from(root):
    lock = (root / "requirements.txt").read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line.strip() for line in lock.splitlines() if not line.strip().startswith("#")]
    requirement = r"[\w.-]+==[\w.]+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+"
    assert lines
    assert [line for line in lines if not re.fullmatch(requirement, line)] == []


def test_the_oldest_versions_are_those_that_the_project_allows():
    assert {"keras==3.5.*", "tensorflow==2.17.*"} <= {*environments.oldest()}


def test_the_weekly_run_leaves_no_circumstance_out(root):
    weekly = yaml.safe_load((root / ".github/workflows/weekly.yml").read_text(encoding="utf-8"))
    matrix = weekly["jobs"]["environments"]["strategy"]["matrix"]
    named = matrix["under"] + [more["under"] for more in matrix["include"]]
    assert sorted(named) == sorted(CIRCUMSTANCES)


# --- that they are what they say ------------------------------------------------------------------


@pytest.mark.parametrize(("circumstance", "held"), [("onednn-off", True), ("onednn-on", False)])
def test_a_circumstance_reaches_the_kernel_and_a_difference_is_seen(tmp_path, circumstance, held):
    cell = nbformat.v4.new_code_cell('import os\n\nprint(os.environ["TF_ENABLE_ONEDNN_OPTS"])')
    cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="0\n")], 1
    notebook = environments.Book(tmp_path).notebook("toy")
    chapters.write(notebook, nbformat.writes(nbformat.v4.new_notebook(cells=[cell])))
    place = CIRCUMSTANCES[circumstance](tmp_path)
    place.root = tmp_path
    assert environments.holds(place, "toy", tmp_path) == held


def test_another_chapter_goes_first_and_only_its_outputs_are_ignored(tmp_path):
    names = BOOK.names()
    for other, name in zip([names[-1], *names], names):
        both = nbformat.read(environments.after_another(name, tmp_path), as_version=4).cells
        first, then = chapters.stored(BOOK, other).cells, chapters.stored(BOOK, name).cells
        assert [cell.source for cell in both] == [cell.source for cell in first + then]
        assert all("nbval-ignore-output" in cell.metadata.tags for cell in both[: len(first)])
        assert both[len(first) :] == then


def test_a_folder_that_can_be_written_is_not_called_read_only(tmp_path):
    place = environments.read_only(tmp_path)
    place.compare = False
    assert "keras" in environments.look_around("read-only", place)
    (place.root / "d2lutils").chmod(0o700)
    with pytest.raises(BookError, match="read-only: this machine does not do that"):
        environments.look_around("read-only", place)


def test_a_library_from_elsewhere_is_refused(tmp_path):
    (tmp_path / "d2lutils").mkdir()
    (tmp_path / "d2lutils" / "__init__.py").touch()
    place = Place(tmp_path, compare=False, variables={"PYTHONPATH": str(tmp_path)})
    with pytest.raises(BookError, match="d2lutils comes from .*, expected "):
        environments.look_around("elsewhere", place)


def test_what_could_not_run_neither_held_nor_differed(tmp_path):
    with pytest.raises(BookError, match="no-such-chapter: pytest stopped with 4"):
        environments.holds(Place(tmp_path), "no-such-chapter", tmp_path)


# --- what they found ------------------------------------------------------------------------------


def test_a_result_lasts_until_the_next_or_until_the_chapter_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "RESULTS", tmp_path / "results.json")
    name, *_ = BOOK.names()
    now = environments.state(name)
    for held, state in [(False, now), (True, now)]:
        environments.keep(circumstance="onednn-on", subject=name, held=held, state=state)
    environments.keep(circumstance="onednn-off", subject=name, held=True, state="of another time")
    (result,) = environments.results()
    assert (result["circumstance"], result["held"]) == ("onednn-on", True)
    lines = environments.table([result], [name]).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [*CIRCUMSTANCES]
    assert [line.split()[0] for line in lines if line.endswith("held")] == ["onednn-on"]


def test_stored_results_speak_of_what_there_is_and_of_the_locked_versions(root):
    locked, floors = library.pinned(root), environments.oldest()
    for result in json.loads(environments.RESULTS.read_text(encoding="utf-8")):
        circumstance, versions = result["circumstance"], result["versions"]
        assert circumstance in CIRCUMSTANCES
        assert result["subject"] in [*BOOK.names(), environments.TESTS]
        assert isinstance(result["held"], bool)
        assert datetime.date.fromisoformat(result["date"]) <= datetime.date.today()
        assert {*versions} == {*environments.PACKAGES, "python"}
        if circumstance == "oldest":
            for name in ("keras", "tensorflow"):
                major, minor, *_ = versions[name].split(".")
                assert f"{name}=={major}.{minor}.*" in floors
        elif circumstance != "newest":
            for name in environments.PACKAGES:
                assert versions[name] in locked[name].split(), f"{result}: make test-env"
