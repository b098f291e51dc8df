"""Every layer equals Keras' on what Hypothesis draws: outputs, states and all gradients.

A few examples of each layer and mode here; `make test-long` draws thousands and adds their number
to records/conformance.json. Nothing is drawn where Keras is wrong: tests/test_differences.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as K

import d2lutils as ours
from d2lutils import match

EXAMPLES = {"eager": 40, "graph": 6, "xla": 4}
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
CANCELLED = 1e-3  # in float32, where the terms of a sum cancel and leave mostly rounding
CELLS = {"SimpleRNN": "RNNCell", "GRU": "GRUCell", "LSTM": "LSTMCell"}
STATES = {"SimpleRNN": 1, "GRU": 1, "LSTM": 2}
X = np.ones((1, 1), "float32")

# Older versions of Keras let all gates share one.
A_MASK_FOR_EACH_GATE = (
    np.ndim(K.LSTMCell(1, dropout=0.5, implementation=1).get_dropout_mask(X)) == 3
)

# --- what is drawn: plain numbers and options, made into layers and arrays below --------------

kinds = st.sampled_from(list(CELLS))
seeds = st.integers(0, 2**16)
small = st.tuples(*(st.integers(1, high) for high in (4, 6, 5, 6)))  # batch, steps, width, units
other = st.sampled_from([(1, 1, 1, 1), (1, 7, 3, 5), (3, 1, 2, 4), (2, 5, 4, 1), (16, 24, 20, 32)])
masks = st.sampled_from(["none", "right", "left", "holes", "empty row", "all masked"])
dropouts = st.fixed_dictionaries(  # a rate of 1 is where Keras is wrong
    {
        "dropout": st.sampled_from([0.0, 0.25, 0.5]),
        "recurrent_dropout": st.sampled_from([0.0, 0.25, 0.5]),
        "seed": seeds,
    }
)


@st.composite
def cell_options(draw, kind: str, call: dict, alone: bool = False) -> dict:
    """Of a cell inside a layer, or `alone`, where Keras' `implementation` works."""
    options = {"use_bias": draw(st.booleans())}
    usual = draw(st.booleans())  # the functions for which there is a fast run
    if not usual:
        activations = ["tanh", "softsign"]
        if call["sizes"][1] < 10:  # in a longer loop an unbounded one makes rounding errors explode
            activations += ["relu", "linear", "elu"]
        options["activation"] = draw(st.sampled_from(activations))
    if not draw(st.integers(0, 2)):
        options |= draw(dropouts)
        if not A_MASK_FOR_EACH_GATE:
            options["recurrent_dropout"] = 0.0
    if kind != "SimpleRNN":
        if not usual:
            functions = ["sigmoid", "hard_sigmoid", "tanh"]
            options["recurrent_activation"] = draw(st.sampled_from(functions))
        if alone and A_MASK_FOR_EACH_GATE:
            options["implementation"] = draw(st.sampled_from([1, 2]))
    if kind == "GRU":
        options["reset_after"] = draw(st.booleans())
    return options


@st.composite
def loop_options(draw, masked: bool) -> dict:
    names = ["return_sequences", "return_state", "unroll", "zero_output_for_mask", "go_backwards"]
    options = {name: draw(st.booleans()) for name in names}
    if masked and options["zero_output_for_mask"]:
        options["return_sequences"] = True  # Keras zeroes the last output
        options["unroll"] &= not options["go_backwards"]  # Keras does not turn the mask round
    return options


@st.composite
def calls(draw) -> dict:
    return {
        "sizes": draw(small if draw(st.integers(0, 4)) else other),
        "mask": draw(masks),
        "form": draw(st.sampled_from(["bool", "bool", "int32", "rank 3"])),
        "with_state": draw(st.booleans()),
        "training": draw(st.booleans()),
        "dtype": draw(st.sampled_from(["float64", "float64", "float64", "float32"])),
        "seed": draw(seeds),
        "fast": draw(st.sampled_from([True, True, False])),  # of our loop
    }


@st.composite
def one_direction(draw, kind: str) -> dict:
    call = draw(calls())
    options = draw(cell_options(kind, call)) | draw(loop_options(call["mask"] != "none"))
    return {"kind": kind, "options": options, "call": call}


@st.composite
def loops(draw) -> dict:
    kind, call = draw(kinds), draw(calls())
    return {
        "loop and cell": draw(st.sampled_from(["ours theirs", "ours ours", "theirs ours"])),
        "kind": kind,
        "options": draw(cell_options(kind, call, alone=True)),
        "loop": draw(loop_options(call["mask"] != "none")),
        "call": call,
    }


@st.composite
def stacks(draw) -> dict:
    """Of two cells or three: Keras' loop fails on a mask over a stack of one."""
    drawn = draw(st.lists(st.tuples(kinds, st.integers(1, 5)), min_size=2, max_size=3))
    call = draw(calls())
    cells = [(kind, units, draw(cell_options(kind, call, alone=True))) for kind, units in drawn]
    return {"cells": cells, "loop": draw(loop_options(call["mask"] != "none")), "call": call}


@st.composite
def two_directions(draw) -> dict:
    kind, call = draw(kinds), draw(calls())
    names = ["return_sequences", "return_state", "unroll"]
    loop = {name: draw(st.booleans()) for name in names}
    loop["unroll"] &= call["mask"] == "none"  # Keras does not turn the mask round
    return {
        "kind": kind,
        "options": draw(cell_options(kind, call)) | loop,
        "backward": draw(st.one_of(st.none(), cell_options(kind, call))),
        "merge_mode": draw(st.sampled_from(["concat", "sum", "ave", "mul", None])),
        "call": call,
    }


# --- layers and arrays ------------------------------------------------------------------------


def arrays(call: dict, states: list) -> dict:
    """The arguments of `match`; `states`: sizes, nested as the layer's initial_state is."""
    batch, steps, width, _ = call["sizes"]
    rng = np.random.default_rng(call["seed"])
    normal = lambda *shape: rng.standard_normal(shape).astype(call["dtype"])
    found = {
        "x": normal(batch, steps, width),
        "mask": mask(call["mask"], batch, steps, rng),
        "training": call["training"],
        "tolerance": TOLERANCE[call["dtype"]],
        "seed": call["seed"],
    }
    if found["mask"] is not None and call["form"] != "bool":
        as_int, rank_3 = found["mask"].astype("int32"), found["mask"][..., None]
        found["mask"] = as_int if call["form"] == "int32" else rank_3
    if call["with_state"]:
        form = lambda size: normal(batch, size) if isinstance(size, int) else list(map(form, size))
        found["initial_state"] = form(states)
    return found


def mask(style: str, batch: int, steps: int, rng):
    length = rng.integers(1, steps + 1, (batch, 1))
    return {
        "none": None,
        "right": np.arange(steps) < length,
        "left": np.arange(steps) >= steps - length,
        "holes": rng.random((batch, steps)) < 0.6,
        "empty row": (np.arange(steps) < length) & (np.arange(batch)[:, None] > 0),
        "all masked": np.zeros((batch, steps), bool),
    }[style]


def make_layer(case: dict):
    units, options = case["call"]["sizes"][3], {"dtype": case["call"]["dtype"], **case["options"]}
    mine = getattr(ours, case["kind"])(units, fast=case["call"]["fast"], **options)
    return mine, getattr(K, case["kind"])(units, **options), [units] * STATES[case["kind"]]


def make_loop(case: dict):
    units, dtype = case["call"]["sizes"][3], {"dtype": case["call"]["dtype"]}
    cells = {
        "ours": lambda: getattr(ours, CELLS[case["kind"]])(units, **dtype, **case["options"]),
        "theirs": lambda: getattr(K, f"{case['kind']}Cell")(units, **dtype, **case["options"]),
    }
    loop, cell = case["loop and cell"].split()
    options = dtype | case["loop"]
    if loop == "ours":
        mine = ours.Recurrent(cells[cell](), fast=case["call"]["fast"], **options)
    else:
        mine = K.RNN(cells[cell](), **options)
    return mine, K.RNN(cells["theirs"](), **options), [units] * STATES[case["kind"]]


def make_stack(case: dict):
    dtype = {"dtype": case["call"]["dtype"]}
    mine = [getattr(ours, CELLS[kind])(n, **dtype, **o) for kind, n, o in case["cells"]]
    theirs = [getattr(K, f"{kind}Cell")(n, **dtype, **o) for kind, n, o in case["cells"]]
    states = [[n] * 2 if kind == "LSTM" else n for kind, n, _ in case["cells"]]
    loop = dtype | case["loop"]
    return ours.Recurrent(mine, **loop), K.RNN(K.StackedRNNCells(theirs, **dtype), **loop), states


def make_two_directions(case: dict):
    units, dtype = case["call"]["sizes"][3], {"dtype": case["call"]["dtype"]}

    def make(home):
        run = {"fast": case["call"]["fast"]} if home is ours else {}
        layer = lambda **options: getattr(home, case["kind"])(units, **dtype, **run, **options)
        backward = None
        if case["backward"] is not None:
            backward = layer(**{**case["options"], **case["backward"], "go_backwards": True})
        forward = layer(**case["options"])
        return home.Bidirectional(forward, case["merge_mode"], backward_layer=backward, **dtype)

    return make(ours), make(K), [units] * (2 * STATES[case["kind"]])


# --- what must hold ---------------------------------------------------------------------------

LAYERS = {kind: (one_direction(kind), make_layer) for kind in CELLS} | {
    "Recurrent": (loops(), make_loop),
    "StackedCells": (stacks(), make_stack),
    "Bidirectional": (two_directions(), make_two_directions),
}


@pytest.mark.parametrize("mode", EXAMPLES)
@pytest.mark.parametrize("layer", LAYERS)
def test_layer_equals_keras(layer, mode, conformance):
    cases, make = LAYERS[layer]

    @settings(max_examples=conformance.examples(mode, EXAMPLES[mode]))
    @given(cases)
    def holds(case):
        if mode == "xla":  # whose dropout masks are other ones, for Keras' layers as well
            case["call"]["training"] = False
        try:
            compare(case)
        except AssertionError:
            if case["call"]["dtype"] == "float64":
                raise
            compare(case, tolerance=CANCELLED)  # if it was rounding, it is gone in float64
            compare(case | {"call": case["call"] | {"dtype": "float64"}})
        conformance.count(layer, mode)

    def compare(case, **tolerance):
        mine, theirs, states = make(case)
        mine.build(case["call"]["sizes"][:3]), theirs.build(case["call"]["sizes"][:3])
        match(mine, theirs, mode=mode, **arrays(case["call"], states) | tolerance)

    holds()


@pytest.mark.parametrize("kind", CELLS)
@settings(max_examples=5)
@given(data=st.data())
def test_stateful_layers_go_on_as_keras_do(kind, data):
    """Piece after piece, with a mask or without, with new states set in between."""
    call = {"sizes": (1, 4, 1, 1)}
    options = data.draw(cell_options(kind, call)) | {"return_state": True, "stateful": True}
    batch, units = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    mine, theirs = (getattr(h, kind)(units, dtype="float64", **options) for h in (ours, K))
    mine.build((batch, None, 2)), theirs.build((batch, None, 2))
    rng = np.random.default_rng(data.draw(seeds))
    theirs.set_weights([rng.standard_normal(w.shape) for w in theirs.get_weights()])
    mine.set_weights(theirs.get_weights())
    for _ in range(data.draw(st.integers(2, 4))):
        steps = data.draw(st.integers(1, 4))
        call = {"mask": mask(data.draw(masks), batch, steps, rng)}
        if data.draw(st.booleans()):
            call["initial_state"] = [rng.standard_normal((batch, units))] * STATES[kind]
        x = rng.standard_normal((batch, steps, 2))
        for a, b in zip(mine(x, **call), theirs(x, **call)):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        for a, b in zip(mine.states, theirs.states):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
