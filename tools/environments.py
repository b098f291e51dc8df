"""Do the chapters hold elsewhere, too?  They are run again under one circumstance after another.

python tools/environments.py                       under all of them (hours)
python tools/environments.py onednn-on one-thread  under these
python tools/environments.py --only gru lstm       these chapters

Stored outputs must hold under every circumstance but two: with the oldest and the newest Keras and
TensorFlow, tests and assertions must.  records/environments.json keeps what was found, each line as
long as it speaks of the chapter as it stands.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

import kernel
from chapters import out_of_step, prepare, stored, write
from convert import Book
from library import BookError, digest, refuse_other_versions

BOOK = Book(Path(__file__).resolve().parents[1])
FOLDER = BOOK.root / "_build" / "environments"
RESULTS = BOOK.root / "records" / "environments.json"
TESTS = "tests"  # stands beside the chapters' names
# All pages but the one that shows these results, and so changes with each of them.
SUBJECTS = [*(name for name in BOOK.names() if name != "conformance"), TESTS]
PACKAGES = ("keras", "tensorflow", "numpy")


@dataclass
class Place:
    """Where and how chapters run."""

    home: Path  # empty: none of the user's settings, and no cache that another run has filled
    root: Path = BOOK.root
    python: Path = Path(sys.executable)
    variables: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()  # words in front of the command
    proof: str = ""  # Python that fails where the machine does not do what is asked
    another_first: bool = False  # another chapter first, in the same kernel
    compare: bool = True  # with the stored outputs

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess:
        """Python with these arguments, there; what it says is caught."""
        ours = {"HOME": str(self.home), "PYTHONPATH": str(self.root)}
        return subprocess.run(
            [*self.before, self.python, *arguments],
            env=os.environ | kernel.environment(self.home / "ipython") | ours | self.variables,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )


# --- the circumstances ----------------------------------------------------------------------------

Preparation = Callable[[Path], Place]  # in a folder of its own, which is removed afterwards


def variables(**variables: str) -> Preparation:
    return lambda folder: Place(folder, variables=variables)


def threads(number: int) -> Preparation:
    """TensorFlow's and NumPy's."""
    names = ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"]
    return variables(**dict.fromkeys([*names, "OPENBLAS_NUM_THREADS"], str(number)))


def another_first(folder: Path) -> Place:
    return Place(folder, another_first=True)


def path(folder: Path) -> Place:
    """A copy at a path with a space and Chinese characters, its Python environment included."""
    root = copy(folder / "手推 book")
    shutil.copytree(sys.prefix, root / ".venv", symlinks=True, copy_function=os.link)
    return Place(
        root / "home",
        root,
        root / ".venv" / "bin" / "python",
        proof=f"import sys; assert sys.prefix == {str(root / '.venv')!r}, sys.prefix",
    )


def read_only(folder: Path) -> Place:
    """A copy in which nothing can be written, beside the library as beside the chapters."""
    root = copy(folder / "book")
    for entry in [root, *root.rglob("*")]:
        entry.chmod(entry.stat().st_mode & ~0o222)
    administrator = os.geteuid() == 0  # may write all the same, unless that right is given away
    return Place(
        folder,
        root,
        before=("setpriv", "--bounding-set=-dac_override") if administrator else (),
        proof="import os, pathlib\n"
        f"for path in pathlib.Path({str(root)!r}).rglob('*'): assert not os.access(path, os.W_OK)",
    )


def locale(name: str, zone: str, west: int) -> Preparation:
    """A locale, and a time zone that in winter is so many seconds west of Greenwich."""

    def made(folder: Path) -> Place:
        if name != "C":
            language, charset = name.split(".")
            command = ["localedef", "-i", language, "-f", charset, str(folder / name)]
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode:
                raise BookError(
                    f"{' '.join(command)}: {run.stderr}(on Debian: apt install locales)"
                )
        return Place(
            folder,
            variables={"LC_ALL": name, "LOCPATH": str(folder), "TZ": zone},
            proof="import locale, time; locale.setlocale(locale.LC_ALL, '')\n"
            f"assert time.timezone == {west}, time.tzname",
        )

    return made


def versions(name: str, *requirements: str) -> Preparation:
    """Other versions, in an environment that is kept for the next time."""

    def installed(folder: Path) -> Place:
        environment = FOLDER / name
        python = environment / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        book = f"{BOOK.root}[book,test]"
        subprocess.run([*pip, "--upgrade", "--editable", book, *requirements], check=True)
        return Place(folder, python=python, compare=False)

    return installed


def oldest() -> list[str]:
    """The floors that pyproject.toml sets: keras>=3.5 -> keras==3.5.*"""
    project = tomllib.loads((BOOK.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    floors = [line for line in project["dependencies"] if ">=" in line]
    return [f"{line.replace('>=', '==')}.*" for line in floors]


def copy(root: Path) -> Path:
    """The repository, without what git ignores."""
    ignored = shutil.ignore_patterns(".*", "_build", "__pycache__", "*.egg-info")
    return shutil.copytree(BOOK.root, root, ignore=ignored)


# The page shows faults of the newest Keras, with examples that older ones cannot even be asked for.
MEANINGLESS = {("oldest", "differences")}

CIRCUMSTANCES: dict[str, Preparation] = {
    "onednn-off": variables(TF_ENABLE_ONEDNN_OPTS="0"),
    "onednn-on": variables(TF_ENABLE_ONEDNN_OPTS="1"),
    "one-thread": threads(1),
    "two-threads": threads(2),
    "another-first": another_first,
    "path": path,
    "read-only": read_only,
    "locale-c": locale("C", "UTC", 0),
    "locale-german": locale("de_DE.UTF-8", "America/St_Johns", 12600),
    "locale-chinese": locale("zh_CN.GB18030", "Asia/Shanghai", -28800),
    "oldest": versions("oldest", *oldest()),
    "newest": versions("newest"),
}


# --- running --------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("circumstances", nargs="*", help=f"of: {', '.join(CIRCUMSTANCES)}")
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=SUBJECTS)
    options = parser.parse_args()
    chosen = options.circumstances or [*CIRCUMSTANCES]
    try:
        if unknown := ", ".join(name for name in chosen if name not in CIRCUMSTANCES):
            raise BookError(f"{unknown}: expected some of {', '.join(CIRCUMSTANCES)}")
        if behind := out_of_step(BOOK, [name for name in options.only if name != TESTS]):
            raise BookError("\n".join([*behind, "run: make chapters"]))
    except BookError as error:
        sys.exit(f"\n{error}")
    held = [try_under(circumstance, options.only) for circumstance in chosen]
    print(f"\n{table(results(), SUBJECTS)}")
    sys.exit(not all(held))


def try_under(circumstance: str, subjects: list[str]) -> bool:
    """Whether all held under one circumstance; each result is kept as soon as it is there."""
    held = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        try:
            place = CIRCUMSTANCES[circumstance](Path(folder))
            found = {
                "date": f"{datetime.date.today()}",
                "versions": look_around(circumstance, place),
            }
            for subject in subjects:
                if subject == TESTS and place.compare:
                    continue  # `make test` runs them with the locked versions
                if (circumstance, subject) in MEANINGLESS:
                    continue
                before, started = state(subject), time.perf_counter()
                held.append(holds(place, subject, Path(folder)))
                seconds = time.perf_counter() - started
                print(f"{circumstance}: {subject} {MARKS[held[-1]]} ({seconds:.0f} s)", flush=True)
                keep(
                    circumstance=circumstance, subject=subject, held=held[-1], **found, state=before
                )
        except BookError as error:  # the others may be possible
            print(error, flush=True)
            return False
    return all(held)


def holds(place: Place, subject: str, folder: Path) -> bool:
    """Whether pytest is content; if it is not, what it says is shown."""
    run = place.run("-m", "pytest", *arguments(place, subject, folder))
    if run.returncode:
        print(run.stdout, flush=True)
    if run.returncode not in (0, 1):  # neither passed nor failed: could not run
        raise BookError(f"{subject}: pytest stopped with {run.returncode}, expected 0 or 1")
    return run.returncode == 0


def look_around(circumstance: str, place: Place) -> dict[str, str]:
    """The versions that are there, once it is sure that the circumstance is what it says."""
    if place.compare:
        refuse_other_versions(BOOK.root)
    seen = place.run("-P", "-c", f"{LOOK}\n{place.proof}")
    if seen.returncode:
        raise BookError(f"{circumstance}: this machine does not do that\n{seen.stdout}")
    library, versions = json.loads(seen.stdout)
    if not Path(library).is_relative_to(place.root):
        raise BookError(f"{circumstance}: d2lutils comes from {library}, expected {place.root}")
    return versions


LOOK = f"""
import importlib.metadata, importlib.util, json, platform
versions = {{name: importlib.metadata.version(name) for name in {PACKAGES}}}
versions["python"] = platform.python_version()
print(json.dumps([importlib.util.find_spec("d2lutils").origin, versions]))"""


def arguments(place: Place, subject: str, folder: Path) -> list[str | Path]:
    """What pytest is told."""
    common = ["--quiet", "--no-header", "-p", "no:cacheprovider"]
    if subject == TESTS:
        many = ["--numprocesses=2", "--dist=loadfile", "--hypothesis-profile=search"]
        return [*common, *many, TESTS]
    notebook = Book(place.root).notebook(subject)
    if place.another_first:
        notebook = after_another(subject, folder)
    return [*common, "--nbval" if place.compare else "--nbval-lax", "--nbval-current-env", notebook]


def after_another(name: str, folder: Path) -> Path:
    """A notebook that runs the chapter before this one (before the first: the last), then this."""
    names = BOOK.names()
    other = stored(BOOK, names[names.index(name) - 1])
    for cell in other.cells:
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "nbval-ignore-output"]
    both = stored(BOOK, name)
    both.cells = other.cells + both.cells
    nbformat.write(both, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


# --- results --------------------------------------------------------------------------------------


def results() -> list[dict]:
    """What was found, where it still speaks of what is there."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []
    now = {subject: state(subject) for subject in SUBJECTS}
    return [result for result in kept if result["state"] == now.get(result["subject"])]


def keep(**result: object) -> None:
    """Add one result, in place of an earlier one."""
    order = [*CIRCUMSTANCES]
    found = {(r["circumstance"], r["subject"]): r for r in [*results(), result]}
    lines = sorted(found.values(), key=lambda r: (order.index(r["circumstance"]), r["subject"]))
    write(RESULTS, "[\n" + ",\n".join(map(json.dumps, lines)) + "\n]\n")


def state(subject: str) -> str:
    """A digest of what the result depends on."""
    if subject != TESTS:
        made_from = prepare(BOOK, subject).metadata.book.made_from
        return digest(json.dumps(made_from, sort_keys=True).encode())
    files = sorted([*BOOK.root.glob("d2lutils/**/*.py"), *BOOK.root.glob("tests/*.py")])
    return digest(b"".join(path.read_bytes() for path in files))


MARKS = {True: "held", False: "DIFFERED", None: "-"}


def table(results: list[dict], subjects: list[str]) -> str:
    """A line for each circumstance, a column for each chapter."""
    found = {(result["circumstance"], result["subject"]): result["held"] for result in results}
    widths = [max(len(subject), len(MARKS[False])) + 2 for subject in subjects]
    rows = [["", *subjects]] + [
        [name, *(MARKS[found.get((name, subject))] for subject in subjects)]
        for name in CIRCUMSTANCES
    ]
    return "\n".join(
        f"{row[0]:<16}" + "".join(f"{c:<{w}}" for c, w in zip(row[1:], widths)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    main()
