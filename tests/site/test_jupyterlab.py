"""The notebooks as JupyterLab shows them: every formula set, and no markup left to see."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

import browser

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
RAW = re.compile(
    r".{0,30}(?:\{[a-z:-]+\}`|:::|```|\\(?:label|tag|begin|mathbf)|\$|\*\*|\]\().{0,30}"
)
SETTINGS = '{"windowingMode": "none", "kernelShutdown": true}'
OPEN = """async (path) => {
  await jupyterapp.restored;
  await window.panel?.context.save(); // else it would ask before it closes
  window.panel?.close();
  window.panel = await jupyterapp.commands.execute("docmanager:open", { path });
}"""
DRAWN = """([cells, formulas]) => {
  const shown = [...panel.node.querySelectorAll(".jp-MarkdownOutput")];
  return shown.filter((cell) => cell.textContent.trim()).length >= cells
    && panel.node.querySelectorAll(".jp-MarkdownOutput mjx-container").length >= formulas;
}"""
# The words of the Markdown cells, without code and formulas, which may hold such characters.
WORDS = """() => [...panel.node.querySelectorAll(".jp-MarkdownOutput")].map((cell) => {
  const copy = cell.cloneNode(true);
  for (const other of copy.querySelectorAll("code, pre, mjx-container")) other.remove();
  return copy.textContent;
})"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A running JupyterLab that draws all cells, not only those in sight."""
    home, port = tmp_path_factory.mktemp("jupyter"), free_port()
    settings = home / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(SETTINGS)
    shutil.copytree(ROOT / "chapters", home / "chapters")  # for JupyterLab saves what it opens
    folders = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    folders |= {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data"}
    command = [
        Path(sys.executable).with_name("jupyter-lab"),
        *("--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token="),
        f"--ServerApp.root_dir={home / 'chapters'}",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with (home / "log").open("w") as log:
        environment = os.environ | {name: str(home / path) for name, path in folders.items()}
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/api", server, home / "log")
            yield address
        finally:
            server.terminate()
            server.wait(30)


def wait_for(address, server, log):
    for _ in range(240):
        assert server.poll() is None, log.read_text()
        try:
            return urllib.request.urlopen(address)
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text()}")


@pytest.fixture(scope="module")
def page(lab):
    """A window with JupyterLab, which opens one notebook after another."""
    with browser.opened() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{lab}/lab?reset")
        page.wait_for_function("window.jupyterapp")
        yield page


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_no_markup(name, page):
    notebook = nbformat.read(ROOT / "chapters" / f"{name}.ipynb", as_version=4)
    shown = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        and not cell.metadata.get("jupyter", {}).get("source_hidden")
    ]
    page.evaluate(OPEN, f"{name}.ipynb")
    page.wait_for_function(DRAWN, arg=[len(shown), sum(map(formulas, shown))])
    words = "\n".join(page.evaluate(WORDS))
    assert len(words) > 1000
    assert not RAW.findall(words)


def formulas(source):
    """How many there are in a Markdown cell."""
    return len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", re.sub(r"`[^`]*`", "", source), re.DOTALL))
