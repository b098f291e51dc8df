"""Planted faults (`make mutants`): that they are faults, and what became of them."""

import ast
import datetime
import json
import subprocess
import sys
import warnings

import pytest

import mutants
from faults import faults

TOY = '''
"""A module."""

MODES = ("eager", "xla")


class Toy:
    """A class."""

    @property
    def states(self) -> list[int]:
        """A list."""
        return [1, 2, 2]

    def run(self, x: int, h, *, backwards: bool = False):
        if x is None and not backwards:
            raise ValueError(f"`x` must be 1. Received: {x}")
        self.last = x[1:] - h
        return self.last if backwards else where(h, x + h)
'''
PLANTED = """
MODES = ('xla', 'eager')
MODES = ('eager',)
def states(self) -> list[int]:
def run(self, x: int, h, *, backwards: bool=True):
return [2, 1, 2]
return [0, 2, 2]
if x is None or not backwards:
if x is not None and (not backwards):
if x is None and backwards:
if x is None:
self.last = x[1:] + h
self.last = h - x[1:]
self.last = x[0:] - h
self.last = x[:] - h
self.last = x - h
return self.last
return where(h, x + h)
return self.last if backwards else h
return self.last if backwards else where(h)
return self.last if backwards else where(h, x - h)
return self.last if backwards else where(h, x)
"""


# --- what is planted ------------------------------------------------------------------------------


def test_the_faults_of_a_toy():
    planted = faults(TOY)
    became = {fault.became for fault in planted}
    assert {*PLANTED.strip().splitlines()} <= became
    lost = {fault.was for fault in planted if fault.became == "(lost)"}
    assert "self.last = x[1:] - h" in lost
    assert any(was.startswith("@property def states") for was in lost)


def test_each_fault_is_one_change_and_another_one():
    planted = faults(TOY)
    sources = [ast.unparse(ast.parse(fault.source)) for fault in planted]
    assert len({*sources}) == len(sources)
    assert ast.unparse(ast.parse(TOY)) not in sources, "2 and 2 exchanged are 2 and 2"
    assert [fault.number for fault in planted] == list(range(len(planted)))
    for fault in planted:
        assert fault.was != fault.became
        assert TOY.splitlines()[fault.line - 1].strip(), "the line is a line of code"


def test_documentation_type_hints_and_messages_are_left_alone():
    for fault in faults(TOY):
        for text in ('"""A module."""', "`x` must be 1. Received: {x}"):
            assert text in fault.source or fault.became == "(lost)", fault
        assert "x: int" in fault.source or fault.became == "(lost)", fault


def test_a_fault_keeps_its_name_where_its_line_moves():
    names = [fault.name for fault in faults(TOY)]
    assert [fault.name for fault in faults("\n\n" + TOY)] == names


@pytest.mark.parametrize("name", mutants.MODULES)
def test_every_module_has_faults_that_can_be_told_apart(name, root):
    source = (root / "d2lutils" / f"{name}.py").read_text(encoding="utf-8")
    lines = {fault.line for fault in faults(source)}
    assert len(lines) >= 10
    assert all(source.splitlines()[line - 1].strip() for line in lines)


# --- who catches them -----------------------------------------------------------------------------


def test_every_module_of_the_layers_gets_its_faults(root):
    """What has no tests of its own here is not one of the layers."""
    layers = (root / "d2lutils" / "__init__.py").read_text(encoding="utf-8")
    exported = {line.split()[1] for line in layers.splitlines() if line.startswith("from d2lutils")}
    assert exported <= {f"d2lutils.{name}" for name in mutants.MODULES}


TOY_TESTS = """
from d2lutils.toy import sign


def test_sign():
    assert sign(-3) == -1


def test_end():
    while sign(0) != 0:
        pass
"""
RUN = """
import pathlib, sys, mutants
mutants.ROOT = pathlib.Path({root!r})
mutants.RECORD, mutants.REASONS = mutants.ROOT / "toy.json", mutants.ROOT / "toy.yml"
mutants.MODULES, mutants.TESTS, mutants.PATIENCE = ["toy"], ["toy"], 2
mutants.import_tensorflow = lambda: None
sys.argv[1:] = {arguments!r}
mutants.main()
"""
REASON = """
- reason: Nobody asks for the sign of a positive number.
  faults:
    toy:
      - "sign: return (x > 0) - (x < 0) -> return (x > 1) - (x < 0)"
"""


@pytest.fixture
def toy(tmp_path, root):
    """A package with one function, its tests, and a way to run the tool on them."""
    for folder in ("d2lutils", "tests", "tools", *mutants.BOOK):
        (tmp_path / folder).mkdir()
    for file in ("d2lutils/__init__.py", "pyproject.toml", "requirements.txt"):
        (tmp_path / file).touch()
    (tmp_path / "d2lutils" / "toy.py").write_text("def sign(x):\n    return (x > 0) - (x < 0)\n")
    (tmp_path / "tests" / "test_toy.py").write_text(TOY_TESTS)
    (tmp_path / "toy.yml").write_text(REASON)

    def run(*arguments: str) -> subprocess.CompletedProcess:
        script = RUN.format(root=str(tmp_path), arguments=[*arguments])
        command = [sys.executable, "-c", script]
        return subprocess.run(command, cwd=root / "tools", capture_output=True, text=True)

    run.root = tmp_path
    return run


def test_what_the_tests_see_is_caught_and_what_they_do_not_see_survives(toy):
    assert toy().returncode == 0
    record = json.loads((toy.root / "toy.json").read_text(encoding="utf-8"))
    score = record["modules"]["toy"]
    survivors = {survivor["became"]: survivor["reason"] for survivor in score["survivors"]}
    assert score["planted"] == score["possible"] == score["caught"] + len(survivors)
    assert survivors["return (x > 1) - (x < 0)"] == "Nobody asks for the sign of a positive number."
    assert "return (x < 0) - (x > 0)" not in survivors
    assert "return (x >= 0) - (x < 0)" not in survivors, "a test that does not end has caught it"
    assert "return (x > 0) + (x < 0)" not in survivors


def test_one_fault_alone_is_shown_and_not_recorded(toy):
    shown = toy("toy", "--only", "0").stdout
    assert "toy.py:2 [0] sign: return (x > 0) - (x < 0) -> " in shown
    assert not (toy.root / "toy.json").exists()


def test_survivors_without_a_reason_are_tried_again(toy):
    (toy.root / "toy.yml").unlink()
    toy()
    tests = toy.root / "tests" / "test_toy.py"
    tests.write_text(tests.read_text() + "\n\ndef test_one():\n    assert sign(1) == 1\n")
    before = json.loads((toy.root / "toy.json").read_text(encoding="utf-8"))["modules"]["toy"]
    assert toy("--survivors").returncode == 0
    after = json.loads((toy.root / "toy.json").read_text(encoding="utf-8"))["modules"]["toy"]
    assert before["survivors"] and not after["survivors"]
    assert after["planted"] == after["caught"] == before["planted"]


def test_tests_that_fail_anyway_are_refused(toy):
    with (toy.root / "tests" / "test_toy.py").open("a") as tests:
        tests.write("\n\ndef test_wrong():\n    assert sign(1) == 2\n")
    run = toy()
    assert run.returncode == 1
    assert "without any fault: tests/test_toy.py::test_wrong" in run.stderr
    assert "assert 1 == 2" in run.stderr


def test_a_module_that_is_none_is_refused(toy):
    run = toy("gru")
    assert run.returncode == 1
    assert run.stderr.strip() == "gru: expected some of toy"


# --- the record -----------------------------------------------------------------------------------


def test_the_record_adds_up_and_every_survivor_has_a_reason():
    record = json.loads(mutants.RECORD.read_text(encoding="utf-8"))
    assert datetime.date.fromisoformat(record["date"]) <= datetime.date.today()
    assert [*record["modules"]] == [name for name in mutants.MODULES if name in record["modules"]]
    why = mutants.reasons()
    for name, score in record["modules"].items():
        assert score["planted"] == score["caught"] + len(score["survivors"])
        assert 0 < score["planted"] <= score["possible"]
        for survivor in score["survivors"]:
            assert survivor["reason"] == why[name, mutants.fault_name(survivor)]


def test_the_record_speaks_of_the_layers_as_they_are():
    """An edit is no error, but it should be known that its faults were not planted."""
    if behind := mutants.out_of_date():
        names = ", ".join(f"{name}.py" for name in behind)
        warnings.warn(f"records/mutants.json speaks of another {names}: make mutants", stacklevel=1)
