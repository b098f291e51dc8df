"""Bad luck: files cut short, broken downloads, full disks, builds and trainings killed midway.

Nothing is lost, nothing half done is taken for whole, and the message says what to do.
"""

import errno
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import numpy as np
import psutil
import pytest
import test_tools

import chapters
from d2lutils import depth, readings
from d2lutils.data import load_text
from d2lutils.data.stored import write_figures
from d2lutils.pretrained import WEIGHTS, load_characters
from d2lutils.readings import stored_figures
from d2lutils.train import fit

book, built = test_tools.book, test_tools.built  # fixtures
edit = test_tools.edit

ROOT = Path(__file__).resolve().parents[1]


# --- stored weights and figures -------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    """One digit or one bit in the middle."""
    content = bytearray(path.read_bytes())
    place = next(k for k in range(len(content) // 2, len(content)) if content[k] in b"0246")
    content[place] += 1
    path.write_bytes(content)


def drop_array(path: Path) -> None:
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "head-1"}
    np.savez_compressed(path, **kept)


def exchange(path: Path) -> None:
    """The file of another training."""
    shutil.copy(WEIGHTS / f"characters-rnn{path.suffix}", path)


def drop_entry(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["units"]
    path.write_text(json.dumps(content), encoding="utf-8")


def list_instead(path: Path) -> None:
    path.write_text("[]", encoding="utf-8")


def drop_checksum(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["sha256"]
    path.write_text(json.dumps(content), encoding="utf-8")


ALTERED = {
    "characters-gru.npz": (cut, empty, flip, drop_array, exchange),
    "characters-gru.json": (cut, empty, flip, drop_entry, drop_checksum, list_instead),
}


@pytest.fixture
def stored(tmp_path) -> Path:
    """A folder with the weights of one model, which can be loaded."""
    for name in ALTERED:
        shutil.copy(WEIGHTS / name, tmp_path)
    load_characters("gru", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "alter"),
    [(name, alter) for name, ways in ALTERED.items() for alter in ways],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_altered_weights_are_refused_by_name(stored, name, alter):
    alter(stored / name)
    with pytest.raises(ValueError, match=rf"{name} is damaged \(.*\): .*git checkout.*make models"):
        load_characters("gru", stored)


@pytest.mark.parametrize("alter", [cut, empty, flip, drop_checksum, list_instead])
@pytest.mark.parametrize(("module", "read"), [(depth, depth.figures), (readings, stored_figures)])
def test_altered_figures_are_refused_by_name(module, read, alter, tmp_path, monkeypatch):
    copy = Path(shutil.copy(module.FIGURES, tmp_path))
    monkeypatch.setattr(module, "FIGURES", copy)
    assert "versions" in read() and "sha256" not in read()
    alter(copy)
    with pytest.raises(ValueError, match=rf"{copy.name} is damaged .*git checkout.*make models"):
        read()


@pytest.mark.parametrize("name", ALTERED)
def test_missing_weights_are_named(stored, name):
    (stored / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing: .*git checkout.*make models"):
        load_characters("gru", stored)


def test_the_layout_of_figures_does_not_matter(stored):
    """An editor or git may change line ends; what the figures say is the same."""
    path = stored / "characters-gru.json"
    expected = load_characters("gru", stored)[2]
    path.write_text(json.dumps(json.loads(path.read_text("utf-8"))), encoding="utf-8")
    assert load_characters("gru", stored)[2] == expected


def test_figures_are_written_whole_or_not_at_all(stored, monkeypatch):
    path = stored / "characters-gru.json"
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_figures(path, {"units": 1})
    assert path.read_bytes() == before
    assert sorted(file.name for file in stored.iterdir()) == sorted(ALTERED)


def full(*_, **__):
    """Instead of any function that writes."""
    raise OSError(errno.ENOSPC, "No space left on device")


# --- downloads ------------------------------------------------------------------------------------

TEXT = "a line of text, 一行文字\n" * 20_000
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers each request in the next of the `moods`, and the last one for ever."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.moods = ["well"]
        self.half, self.go_on = threading.Event(), threading.Event()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        moods = self.server.moods
        mood = moods.pop(0) if len(moods) > 1 else moods[0]
        bodies = {"empty": b"", "binary": b"\xff\xfe\x00", "altered": TEXT[1:].encode()}
        body = bodies.get(mood, TEXT.encode())
        self.send_response({"lost": 404, "broken": 500}.get(mood, 200))
        if mood == "chunks break off":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"400\r\n" + body[:100])
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:100_000])
            if mood == "halts":
                self.server.half.set()
                self.server.go_on.wait(10)
            if mood != "breaks off":
                self.wfile.write(body[100_000:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as server:
        server.url = f"http://127.0.0.1:{server.server_port}/a.txt"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("mood", "error", "why"),
    [
        ("breaks off", OSError, "got only 100000 out of"),
        ("chunks break off", OSError, "IncompleteRead"),
        ("lost", OSError, "404"),
        ("broken", OSError, "500"),
        # Older versions of Keras fail at an empty file themselves.
        ("empty", (ValueError, OSError), "must hold some text|could not be fetched"),
        ("binary", ValueError, "must hold UTF-8 text"),
    ],
)
def test_a_download_that_fails_leaves_nothing_and_the_next_succeeds(
    server, tmp_path, mood, error, why
):
    server.moods = [mood, "well"]
    with pytest.raises(error, match=why) as told:
        load_text(server.url, cache_dir=str(tmp_path))
    assert "`source`" in str(told.value) and server.url in str(told.value)
    assert files(tmp_path) == []
    assert load_text(server.url, cache_dir=str(tmp_path)) == TEXT
    server.moods = ["lost"]
    assert load_text(server.url, cache_dir=str(tmp_path)) == TEXT  # kept


@pytest.mark.parametrize("before", [0, 1])
def test_other_bytes_than_the_checksum_are_never_taken(server, tmp_path, before):
    """Neither when they come nor when they lie there from a call without a checksum."""
    server.moods = ["altered"] * (before + 1) + ["well"]
    for _ in range(before):
        assert load_text(server.url, cache_dir=str(tmp_path)) == TEXT[1:]
    with pytest.raises(ValueError, match=rf"`sha256` of '{server.url}' must be '{DIGEST}'"):
        load_text(server.url, DIGEST, str(tmp_path))
    assert load_text(server.url, DIGEST, str(tmp_path)) == TEXT


def test_a_refused_connection_is_named(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match=rf"`source` .*{server.url}.*refused.*give its path"):
        load_text(server.url, cache_dir=str(tmp_path))
    assert files(tmp_path) == []


def test_a_process_killed_while_it_downloads_leaves_no_file_of_that_name(server, tmp_path):
    """What lies there in the middle is what a killed process would leave."""
    server.moods = ["halts"]
    download = threading.Thread(target=load_text, args=(server.url, None, str(tmp_path)))
    download.start()
    assert server.half.wait(10)
    assert [path for path in (tmp_path / "datasets").iterdir() if path.is_file()] == []
    server.go_on.set()
    download.join()
    (kept,) = (tmp_path / "datasets").iterdir()
    assert kept.read_text(encoding="utf-8") == TEXT


@contextmanager
def little_space(size: int = 200_000):
    """Files cannot grow beyond `size` bytes: writing fails midway, as on a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_download_that_does_not_fit_leaves_nothing(server, tmp_path):
    with little_space(), pytest.raises(OSError, match=rf"`source` .*{server.url}.*too large"):
        load_text(server.url, cache_dir=str(tmp_path))
    assert files(tmp_path) == []
    assert load_text(server.url, cache_dir=str(tmp_path)) == TEXT


# --- notebooks ------------------------------------------------------------------------------------


def run(tool: object, book, *arguments: str) -> None:
    """The command `python tools/….py`, with this book for its own."""
    old, sys.argv = sys.argv, ["tool", *arguments]
    try:
        tool.main(book.root)
    finally:
        sys.argv = old


@pytest.mark.parametrize("where", ["write", "replace"])
def test_a_full_disk_costs_no_notebook(built, where, monkeypatch):
    before = built.notebook("toy").read_bytes()
    edit(built.text("toy"), "A toy,", f"A toy{'s' * 300_000},")
    with monkeypatch.context() as patch:
        if where == "replace":
            patch.setattr(os, "replace", full)
        with little_space(), pytest.raises(SystemExit, match=r"toy\.ipynb could not be written"):
            run(chapters, built)
    assert built.notebook("toy").read_bytes() == before
    assert os.listdir(built.root / "chapters") == ["toy.ipynb"]
    run(chapters, built)
    assert chapters.out_of_step(built, []) == []


def merge_marks(path: Path) -> None:
    path.write_text("<<<<<<< HEAD\n" + path.read_text("utf-8"), encoding="utf-8")


def empty_object(path: Path) -> None:
    path.write_text("{}", encoding="utf-8")


def not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe" + path.read_bytes())


@pytest.mark.parametrize("damage", [cut, empty, merge_marks, empty_object, not_text, list_instead])
def test_a_damaged_notebook_is_named_and_runs_again(built, damage):
    damage(built.notebook("toy"))
    with pytest.raises(SystemExit, match=r"toy\.ipynb is out of step: the notebook is damaged"):
        run(chapters, built, "--check")
    assert test_tools.why(built) == ["the notebook is damaged"]


def test_a_damaged_notebook_is_mended_by_a_build(built, capsys):
    cut(built.notebook("toy"))
    run(chapters, built)
    assert "toy: runs (the notebook is damaged)" in capsys.readouterr().out
    assert chapters.out_of_step(built, []) == []


def test_readers_see_whole_notebooks_while_builds_write(tmp_path):
    """`make book` and `make test` read while `make chapters` writes."""
    path, seen, done = tmp_path / "toy.ipynb", set(), threading.Event()
    versions = [json.dumps([k] * 200_000) for k in (1, 2)]
    chapters.write(path, versions[0])

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text(encoding="utf-8"))

    reader = threading.Thread(target=read)
    reader.start()
    for k in range(100):
        chapters.write(path, versions[k % 2])
    done.set()
    reader.join()
    assert seen <= set(versions)


def start(book) -> subprocess.Popen:
    """`python tools/chapters.py` in a process of its own."""
    shutil.copytree(ROOT / "tools", book.root / "tools", dirs_exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "tools/chapters.py"],
        cwd=book.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


WAIT = """from pathlib import Path
from time import sleep

for _ in range(600):
    if Path("go").exists():
        break
    sleep(0.1)
print("the end")"""


def test_two_builds_at_once_run_a_chapter_once(book):
    edit(book.text("toy"), 'print("the end")', WAIT)
    first = start(book)
    assert "toy: runs" in first.stdout.readline()
    second = start(book)
    waits = second.stdout.readline()
    (book.root / "chapters" / "go").touch()
    said, errors = second.communicate(timeout=60)
    assert "toy: waits for another build" in waits and "toy: nothing changed" in said
    assert first.wait(60) == second.returncode == 0 and not errors
    assert (book.root / "chapters" / "runs.txt").read_text() == "x"
    assert chapters.out_of_step(book, []) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_build_stopped_midway_leaves_the_old_notebook_and_no_kernel(built, how):
    before, number = built.notebook("toy").read_bytes(), built.root / "number.txt"
    ending = f"""\
import os, time
from pathlib import Path

Path("{number}.new").write_text(str(os.getpid()))
os.rename("{number}.new", "{number}")
time.sleep(300)"""
    edit(built.text("toy"), 'print("the end")', ending)
    build = start(built)
    wait_for(number.exists)
    kernel = psutil.Process(int(number.read_text()))
    build.send_signal(how)
    said = build.communicate(timeout=30)[1]
    assert build.returncode != 0 and "Traceback" not in said
    wait_for(lambda: not kernel.is_running() or kernel.status() == psutil.STATUS_ZOMBIE)
    assert built.notebook("toy").read_bytes() == before
    assert {path.name for path in (built.root / "chapters").iterdir()} == {"toy.ipynb", "runs.txt"}
    edit(built.text("toy"), "time.sleep(300)", "time.sleep(0)")
    again = start(built)
    assert again.communicate(timeout=60)[1] == "" and again.returncode == 0
    assert chapters.out_of_step(built, []) == []


def wait_for(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


# --- trainings ------------------------------------------------------------------------------------

TRAINING = """\
import os
import signal
import sys

import keras
import numpy as np
import tensorflow as tf

from d2lutils import GRU
from d2lutils.train import fit, state_of

tf.config.experimental.enable_op_determinism()
chance = np.random.default_rng(0)
X, Y = (chance.standard_normal(shape).astype("float32") for shape in ((48, 5, 3), (48, 1)))


class Kill(keras.callbacks.Callback):
    left = 9  # in the middle of the second of three epochs, of six batches each

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def train(name, callbacks=()):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5, 3), batch_size=8)])
    model.add(GRU(4, dropout=0.3, recurrent_dropout=0.2, stateful=True))
    model.add(keras.layers.Dropout(0.3))
    model.add(keras.layers.Dense(1))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    history = fit(model, (X, Y), epochs=3, batch_size=8, backup="backup.npz", callbacks=callbacks)
    arrays = {v.path + str(k): v.numpy() for k, v in enumerate(state_of(model))}
    np.savez(name, loss=history["loss"], **{key.replace("/", "."): a for key, a in arrays.items()})


if sys.argv[1] == "killed":
    train("whole.npz")
    train("never.npz", [Kill()])
else:
    train("resumed.npz")
"""


def test_epochs_with_a_backup_are_shuffled_each_in_its_own_way(tmp_path):
    """With batches of one and nothing learnt, the losses tell the order."""
    x = np.arange(10.0)[:, None]
    sums = []
    remember = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda k, logs: sums.append(logs["loss"] * (k + 1))
    )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    options = {"loss": "mae", "optimizer": keras.optimizers.SGD(0.0), "callbacks": [remember]}
    history = fit(model, (x, 0 * x), epochs=3, batch_size=1, backup=tmp_path / "b", **options)
    losses = np.diff(np.reshape(sums, (3, 10)), prepend=0.0)
    orders = {tuple(np.argsort(row)) for row in losses}
    assert len(orders) == 3 and len(history["loss"]) == 3
    np.testing.assert_allclose(np.sort(losses), np.sort(losses)[:1].repeat(3, 0), atol=1e-3)


def test_a_backup_of_another_model_is_refused(tmp_path):
    x = np.zeros((4, 3))
    stop = keras.callbacks.LambdaCallback(on_epoch_begin=lambda k, logs: 1 // (1 - k))

    def train(units: int, **options) -> None:
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
        fit(model, (x, x[:, :units]), loss="mse", epochs=2, backup=tmp_path / "b", **options)

    with pytest.raises(ZeroDivisionError):
        train(2, callbacks=[stop])
    with pytest.raises(ValueError, match="`backup` .*b is of another model: delete it"):
        train(3)
    train(2)
    assert not (tmp_path / "b").exists()


def test_a_training_killed_midway_goes_on_to_the_same_weights(tmp_path):
    """Bit for bit, with shuffling, dropout, states kept between batches, and Adam's own state."""
    train = lambda how: subprocess.run([sys.executable, "-c", TRAINING, how], cwd=tmp_path)
    assert train("killed").returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} == {"whole.npz", "backup.npz"}
    with np.load(tmp_path / "backup.npz") as backup:
        assert len(json.loads(str(backup["history"]))["loss"]) == 1  # one epoch is behind it
    assert train("resumed").returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"whole.npz", "resumed.npz"}
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "resumed.npz") as resumed:
        assert whole.files == resumed.files and len(whole.files) > 20
        for name in whole.files:
            np.testing.assert_array_equal(whole[name], resumed[name], err_msg=name)
