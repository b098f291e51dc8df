"""Every fault that can be planted in a module, one at a time.

A fault is what a slip of the hand makes of one expression or statement: another operator, constant
or sibling, a negated condition, an argument, an entry, a statement or a decorator too few, two
neighbours exchanged. Documentation, type hints and what errors say are left alone.
"""

import ast
import copy
import itertools
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

# What stands side by side and could be taken for each other. Names: if both are in the function.
NAMES = [
    group.split()
    for group in (
        "z r h h_tilde",
        "x_z x_r x_h",
        "h_z h_r h_h",
        "i f c c_tilde o h",
        "sigma phi",
        "b_i b_f b_co",
        "forward backward",
        "first second",
        "output outputs",
        "written now",
        "output new_output",
        "new old",
        "states new_states",
        "x x_t",
        "k t",
        "mask mask_t masks",
        "ours theirs",
        "mine other",
        "actual expected",
        "kernel bias masks",
    )
]
SIBLINGS = [  # attributes and options: each becomes the next of its group
    group.split()
    for group in (
        "kernel recurrent_kernel bias",
        "activation recurrent_activation",
        "kernel_initializer recurrent_initializer bias_initializer",
        "kernel_regularizer recurrent_regularizer bias_regularizer",
        "kernel_constraint recurrent_constraint bias_constraint",
        "dropout recurrent_dropout",
        "use_bias state_bias",
        "gates states",
        "input_mask state_mask",
        "get_dropout_mask get_recurrent_dropout_mask",
        "reset_dropout_mask reset_recurrent_dropout_mask",
        "project_input project_state",
        "forward_layer backward_layer",
        "return_sequences return_state stateful unroll go_backwards zero_output_for_mask",
        "compute_dtype variable_dtype",
        "state_size output_size",
        "concat sum ave mul",
        "tanh sigmoid",
        "glorot_uniform orthogonal zeros",
        "eager graph xla",
    )
]

ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
}
COMPARISONS = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
LEFT_ALONE = {"annotation", "returns", "format_spec", "exc", "msg", "names"}
DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
QUESTIONS = {"isinstance", "hasattr", "getattr", "len"}  # fail at once with other arguments


@dataclass(frozen=True)
class Fault:
    """One change: where, what stood there, what stands there now, and the whole changed module."""

    number: int
    line: int
    where: str  # "Cell.build", or "" at the level of the module
    was: str
    became: str
    source: str

    @property
    def name(self) -> str:
        """The same wherever the line moves."""
        return f"{self.where}: {self.was} -> {self.became}"


def faults(source: str) -> list[Fault]:
    """All faults of a module, in the order of its lines. Two ways to one change are one fault."""
    module = ast.parse(source)
    parts = [ast.unparse(ast.Module([part], [])) for part in module.body]
    kept = []
    for k, part in enumerate(module.body):  # written anew part by part, for modules are long
        if not is_text(part):
            whole = lambda changed, k=k: "\n".join([*parts[:k], changed, *parts[k + 1 :]])
            kept += [replace(f, source=whole(f.source)) for f in faults_of(part, module)]
    kept.sort(key=lambda fault: fault.line)
    return [replace(fault, number=number) for number, fault in enumerate(kept)]


def faults_of(part: ast.stmt, module: ast.Module) -> list[Fault]:
    """Those of one statement of a module, without numbers, the statement as the source."""
    found = {ast.unparse(part): None}
    for node, path in nodes(part, (module,)):
        for field, value in [*inside(node, path), *instead(node, path)]:
            before = getattr(node, field)
            place = first_difference(before, value) or node
            lost_statement = isinstance(place, ast.stmt) and place is not node
            was = ast.unparse(place) if lost_statement else shown(node, path)
            setattr(node, field, value)
            changed = ast.unparse(part)
            became = "" if lost_statement else shown(node, path)
            setattr(node, field, before)
            if changed in found or not compiles(changed):
                continue
            was, became = excerpts(" ".join(was.split()), became)
            where = ".".join(n.name for n in (*path, node) if isinstance(n, DEFINITIONS))
            line = line_of(place, (*path, node))
            found[changed] = Fault(0, line, where, was, became or "(lost)", changed)
    return [fault for fault in found.values() if fault]


def nodes(node: ast.AST, path: tuple) -> Iterator[tuple[ast.AST, tuple]]:
    """Every node that may be changed, with its ancestors."""
    yield node, path
    for field, value in ast.iter_fields(node):
        if field in LEFT_ALONE:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not is_text(child):
                yield from nodes(child, (*path, node))


# --- what may become of a node's own parts --------------------------------------------------------


def inside(node: ast.AST, path: tuple) -> Iterator[tuple[str, object]]:
    """(field, other value): an operator, a condition, a list with an entry lost or exchanged."""
    match node:
        case ast.BinOp():
            if type(node.op) in ARITHMETIC:
                yield "op", ARITHMETIC[type(node.op)]()
        case ast.Compare():
            for k, op in enumerate(node.ops):
                yield "ops", replaced(node.ops, k, COMPARISONS[type(op)]())
        case ast.BoolOp():
            yield "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield from lost(node, "values")
        case ast.If() if not isinstance(node.body[0], ast.Raise):  # an error always is soon seen
            if not isinstance(node.test, (ast.Compare, ast.UnaryOp)):  # which change by themselves
                yield "test", ast.UnaryOp(ast.Not(), node.test)
            yield "test", ast.Constant(True)
        case ast.Call():
            yield from lost(node, "keywords")
            if called(node) not in QUESTIONS:
                for k, (one, other) in enumerate(itertools.pairwise(node.args)):
                    if type(one) is type(other):
                        yield "args", exchanged(node.args, k)
                if len(node.args) > 1:
                    yield "args", node.args[:-1]
        case ast.Tuple() | ast.List():
            if not is_set(node, path):
                yield from (("elts", exchanged(node.elts, k)) for k in range(len(node.elts) - 1))
            if isinstance(node.ctx, ast.Load) and not must_have_its_length(node, path):
                yield from lost(node, "elts")
        case ast.Dict():
            yield from (("values", exchanged(node.values, k)) for k in range(len(node.values) - 1))
        case ast.arguments():
            if getattr(path[-1], "name", "") == "__init__":  # others are called in one place
                yield from (("args", exchanged(node.args, k)) for k in range(1, len(node.args) - 1))
        case ast.comprehension():
            yield from lost(node, "ifs")
        case ast.Slice():
            yield from ((field, None) for field in ("lower", "upper") if getattr(node, field))
        case ast.Return(value=ast.Call() | ast.BinOp() | ast.Dict()):
            yield "value", None
    if hasattr(node, "decorator_list"):
        yield from lost(node, "decorator_list")
    for field in ("body", "orelse", "finalbody"):
        statements = getattr(node, field, None)
        for k, statement in enumerate(statements if isinstance(statements, list) else []):
            if may_be_lost(statement, node, path):
                yield field, replaced(statements, k, ast.Pass())


def may_be_lost(statement: ast.stmt, parent: ast.AST, path: tuple) -> bool:
    """Not what is lost with its `if`, nor the first value of a name, which everything needs."""
    if isinstance(parent, ast.If) and len(parent.body) == 1 and not parent.orelse:
        return False
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Return() | ast.Pass():
            return False
        case ast.Assign(targets=[ast.Name() as name]) if not isinstance(parent, ast.ClassDef):
            return name.id in known_names(name, (*path, parent))
    return not (is_text(statement) or isinstance(parent, ast.Module))


def lost(node: ast.AST, field: str) -> Iterator[tuple[str, list]]:
    entries = getattr(node, field)
    yield from ((field, entries[:k] + entries[k + 1 :]) for k in range(len(entries)))


def exchanged(entries: list, k: int) -> list:
    return [*entries[:k], entries[k + 1], entries[k], *entries[k + 2 :]]


def replaced(entries: list, k: int, other: object) -> list:
    return [*entries[:k], other, *entries[k + 1 :]]


# --- what may stand instead of an expression ------------------------------------------------------


def instead(node: ast.AST, path: tuple) -> Iterator[tuple[str, object]]:
    """(field, other value), with one of the expressions in that field replaced by another."""
    for field, value in ast.iter_fields(node):
        if field in LEFT_ALONE:
            continue
        if isinstance(value, ast.expr):
            yield from ((field, other) for other in others(value, node, path))
        elif isinstance(value, list):
            for k, entry in enumerate(value):
                if isinstance(entry, ast.expr):
                    for other in others(entry, node, path):
                        yield field, replaced(value, k, other)


def others(node: ast.expr, parent: ast.AST, path: tuple) -> Iterator[ast.expr]:
    match node:
        case ast.Constant():
            if not is_text(parent) and not compares_identity(parent):
                yield from map(ast.Constant, other_values(node.value))
        case ast.Name(ctx=ast.Load()):
            known = known_names(node, (*path, parent)) - {node.id}
            for group in NAMES:
                if node.id in group:
                    yield from (ast.Name(other) for other in group if other in known)
        case ast.Attribute(ctx=ast.Load()):
            if other := next_sibling(node.attr):
                yield ast.Attribute(node.value, other)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.BinOp():
            yield from (node.left, node.right)
            if not isinstance(node.op, (ast.Add, ast.Mult)):
                yield ast.BinOp(node.right, node.op, node.left)
        case ast.IfExp():
            yield from (node.body, node.orelse)
        case ast.Subscript(ctx=ast.Load(), slice=ast.Slice() | ast.Tuple()):
            yield node.value
        case ast.Call(args=[first, *_]) if called(node) not in QUESTIONS:
            yield first.value if isinstance(first, ast.Starred) else first
        case ast.Starred(ctx=ast.Load()):
            yield node.value


def other_values(value: object) -> list:
    match value:
        case bool():
            return [not value]
        case int():
            return [value - 1 if value else 1]
        case float():
            return [value * 2 or 0.5]
        case str():
            return [next_sibling(value) or value + "_"]
        case None:
            return [1]
    return []


def known_names(node: ast.AST, path: tuple) -> set[str]:
    """Names of the function around a node that have a value there."""
    function = next((n for n in path if isinstance(n, ast.FunctionDef)), None)
    if function is None:
        return set()
    inner = [n for n in ast.walk(function) if hasattr(n, "lineno") and n.lineno <= node.lineno]
    stored = {n.id for n in inner if is_stored(n) and n.lineno < node.lineno}
    return stored | {n.arg for n in inner if isinstance(n, ast.arg)}


def next_sibling(name: str) -> str | None:
    group = next((group for group in SIBLINGS if name in group), None)
    return group and group[(group.index(name) + 1) % len(group)]


def called(node: ast.Call) -> str | None:
    return getattr(node.func, "id", None)


def is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def must_have_its_length(node: ast.expr, path: tuple) -> bool:
    """A tuple in a function, unless it is a set or made of others: it would fail at once."""
    made = any(isinstance(entry, ast.Starred) for entry in node.elts)
    inner = any(isinstance(n, ast.FunctionDef) for n in path)
    return isinstance(node, ast.Tuple) and inner and not made and not is_set(node, path)


def is_set(node: ast.AST, path: tuple) -> bool:
    """Whether the order does not matter: (int, float) in a question."""
    return isinstance(path[-1], ast.Compare) or (
        isinstance(path[-1], ast.Call) and called(path[-1]) in QUESTIONS
    )


def compares_identity(node: ast.AST) -> bool:
    return isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Is, ast.IsNot))


def is_text(node: ast.AST) -> bool:
    """Documentation."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def compiles(source: str) -> bool:
    with warnings.catch_warnings(action="ignore"):
        try:
            compile(source, "", "exec")
        except SyntaxError:
            return False
    return True


# --- what is shown --------------------------------------------------------------------------------


def first_difference(before: object, after: object) -> ast.AST | None:
    """The first entry of a list that is not what it was."""
    if not isinstance(before, list):
        return before if isinstance(before, ast.AST) and hasattr(before, "lineno") else None
    other = after if isinstance(after, list) else []
    changed = (a for k, a in enumerate(before) if k >= len(other) or a is not other[k])
    return next((a for a in changed if hasattr(a, "lineno")), None)


def line_of(node: ast.AST, path: tuple) -> int:
    return next((n.lineno for n in (node, *reversed(path)) if hasattr(n, "lineno")), 1)


def shown(node: ast.AST, path: tuple) -> str:
    """The innermost statement around the node, without the statements inside it."""
    statement = next((n for n in (node, *reversed(path)) if isinstance(n, ast.stmt)), node)
    if hasattr(statement, "body"):
        statement = copy.copy(statement)
        statement.body, statement.orelse, statement.finalbody = [ast.Pass()], [], []
    return " ".join(ast.unparse(statement).split()).removesuffix(" pass")


def excerpts(was: str, became: str, around: int = 40) -> tuple[str, str]:
    """The texts of a line; of longer ones what differs, with so many characters on either side."""
    if max(len(was), len(became)) <= 100:
        return was, became
    start = len(os.path.commonprefix([was, became]))
    end = len(os.path.commonprefix([was[start:][::-1], became[start:][::-1]]))
    left = max(0, start - around)

    def cut(text: str) -> str:
        right = min(len(text), len(text) - end + around)
        return "…" * (left > 0) + text[left:right] + "…" * (right < len(text))

    return cut(was), cut(became)
