"""What a chapter takes from the library: quoted source, and the files its outputs depend on.

Both are read from the source with `ast`; nothing is imported, so that TensorFlow need not start.
"""

import ast
import hashlib
import re
import textwrap
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

PACKAGE = "d2lutils"
RECORDS = "records"  # what tests of many hours found, for a page to show


class BookError(Exception):
    """Something a maintainer has to mend; its message says what and where."""


def quote(root: Path, dotted: str) -> str:
    """The source of the class or function `dotted`, word for word, without its decorators."""
    path, names = module_of(root, dotted), None
    if path is not None:
        names = dotted.split(".")[len(path.relative_to(root).with_suffix("").parts) :]
    if not names or dotted.split(".")[0] != PACKAGE:
        raise BookError(f"quote {dotted!r}: expected a definition, such as {PACKAGE}.gru.GRUCell")
    source = read(path)
    node: ast.AST = ast.parse(source)
    for name in names:
        kinds = (ast.ClassDef, ast.FunctionDef)
        found = [n for n in getattr(node, "body", []) if isinstance(n, kinds) and n.name == name]
        if not found:
            raise BookError(f"quote {dotted!r}: {path.relative_to(root)} defines no {name!r}")
        node = found[-1]
    lines = source.splitlines()[node.lineno - 1 : node.end_lineno]
    return textwrap.dedent("\n".join(lines))


def read(path: Path) -> str:
    """A file of the library, which can be parsed."""
    source = path.read_text(encoding="utf-8")
    try:
        ast.parse(source)
    except SyntaxError as error:
        raise BookError(f"{path}, line {error.lineno}: {error.msg}: {error.text}") from error
    return source


def module_of(root: Path, dotted: str) -> Path | None:
    """The file of the module that `dotted` names or lies in, if there is one."""
    path = root
    for part in dotted.split("."):
        path = path / part
        if path.with_suffix(".py").is_file():
            return path.with_suffix(".py")
    return None


def modules_used(root: Path, code: str) -> list[Path]:
    """The library's modules that `code` imports, and those that they import, and so on.

    A package's `__init__.py` that only passes names on is looked through: `from d2lutils import
    match` leads to `match.py` alone.  What cannot be told leads to every module of the package.
    """
    used: set[Path] = set()

    def visit(path: Path) -> None:
        if path not in used:
            used.add(path)
            package = path.parent.relative_to(root).parts
            for module, name in imports(read(path), package):
                follow(module, name)

    def follow(module: str, name: str | None) -> None:
        if module.split(".")[0] != PACKAGE:
            return
        path = root.joinpath(*module.split("."))
        if path.with_suffix(".py").is_file():
            visit(path.with_suffix(".py"))
        elif name and (path / f"{name}.py").is_file():
            visit(path / f"{name}.py")
        elif name and (path / name / "__init__.py").is_file():
            follow(f"{module}.{name}", None)
        elif path.is_dir():
            passed_on = handed_on(path / "__init__.py", path.relative_to(root).parts)
            if name in passed_on:
                follow(*passed_on[name])
            else:
                for file in sorted(path.rglob("*.py")):
                    visit(file)

    for module, name in imports(code, ()):
        follow(module, name)
    return sorted(used)


def imports(source: str, package: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    """(module, name) for each name that `source`, a module of `package`, imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = absolute(node, package)
            yield from ((module, None if a.name == "*" else a.name) for a in node.names)


def absolute(node: ast.ImportFrom, package: tuple[str, ...]) -> str:
    """The dotted name of the module that `from … import` names, dots in front resolved."""
    above = package[: len(package) - node.level + 1] if node.level else ()
    return ".".join([*above, *([node.module] if node.module else [])])


def handed_on(init: Path, package: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Which module each name comes from that a package's `__init__.py` imports to pass it on."""
    names: dict[str, tuple[str, str]] = {}
    if init.is_file():
        for node in ast.parse(read(init)).body:
            if isinstance(node, ast.ImportFrom):
                module = absolute(node, package)
                names |= {a.asname or a.name: (module, a.name) for a in node.names}
    return names


def pinned(root: Path) -> dict[str, str]:
    """The locked versions of the packages that the library itself asks for."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (root / "requirements.txt").read_text(encoding="utf-8")
    names = [re.match(r"[\w.-]+", line)[0] for line in project.get("dependencies", [])]
    return {n: " ".join(re.findall(rf"(?m)^{re.escape(n)}==([^\s;\\]+)", lock)) for n in names}


def refuse_other_versions(root: Path) -> None:
    """Outputs are stored under the locked versions or not at all."""
    for name, version in pinned(root).items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "(none)"
        if installed not in version.split():
            raise BookError(
                f"{name} {installed} is installed, requirements.txt says {version or 'nothing'}: "
                "stored outputs are made with the locked versions (make chapters sets them up)"
            )


def made_from(root: Path, code: str) -> dict[str, str]:
    """Everything that the outputs of `code` depend on, each with a short digest or version.

    Package data and records count where the code or one of its modules says the file's name or how
    it begins: `characters-gru.npz` where somebody says "characters-gru" or f"characters-{kind}".
    """
    modules = modules_used(root, code)
    said = "\n".join([code, *(path.read_text(encoding="utf-8") for path in modules)])
    data = [
        path
        for path in sorted([*(root / PACKAGE).rglob("*"), *(root / RECORDS).glob("*")])
        if path.is_file() and path.suffix not in {".py", ".pyc"}
        if names(path, said)
    ]
    parts = {"code": digest(code.encode())}
    parts |= {p.relative_to(root).as_posix(): digest(p.read_bytes()) for p in [*modules, *data]}
    return parts | pinned(root)


def names(path: Path, said: str) -> bool:
    """Whether a string or a docstring says `depth`, `depth.json`, or `characters-` of a file."""
    stem = re.escape(path.stem)
    return bool(re.search(rf"""["'/\s]{stem}(?:["']|\.)""", said)) or (
        "-" in path.stem and path.stem.split("-")[0] + "-" in said
    )


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
