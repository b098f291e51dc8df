"""Language models: vocabulary, n-grams, the network, sampling, and the weights that are stored."""

import functools
import json
import math
from collections import Counter

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from d2lutils.data import keras_source
from d2lutils.language import (
    LanguageModel,
    NGram,
    Vocabulary,
    bits_per_character,
    distribution,
    perplexity,
    sample,
    sequential_windows,
    train_language_model,
)
from d2lutils.layers import GRU, LSTM, SimpleRNN
from d2lutils.pretrained import (
    LAYERS,
    WEIGHTS,
    held_out_bits,
    load_characters,
    save_characters,
)
from d2lutils.train import fit

# --- vocabulary ---------------------------------------------------------------------------


def test_vocabulary_of_characters():
    vocabulary = Vocabulary("abba 门\n")
    assert vocabulary.tokens == ("<unk>", "\n", " ", "a", "b", "门")
    assert vocabulary.encode("ba?").tolist() == [4, 3, 0]
    assert vocabulary.decode([4, 0, 5]) == "b<unk>门"
    assert "a" in vocabulary and "?" not in vocabulary
    assert Vocabulary("aab", minimum=2).tokens == ("<unk>", "a")
    assert Vocabulary.from_tokens(vocabulary.tokens).tokens == vocabulary.tokens


@given(st.text(min_size=1))
def test_encode_and_decode_are_inverse(text):
    for level in Vocabulary.levels:
        vocabulary = Vocabulary(text, level)
        assert vocabulary.decode(vocabulary.encode(text, unknown=False)) == text


def test_vocabulary_of_words():
    vocabulary = Vocabulary("the cat, the  dog", level="word")
    assert vocabulary.tokens == ("<unk>", " ", ",", "cat", "dog", "the")
    assert vocabulary.decode(vocabulary.encode("the bat, the dog")) == "the <unk>, the dog"


def test_errors_name_what_came():
    vocabulary = Vocabulary("abc")
    with pytest.raises(ValueError, match="`text`.*''"):
        Vocabulary("")
    with pytest.raises(ValueError, match="`text`.*''"):
        vocabulary.encode("")
    with pytest.raises(ValueError, match="3 tokens.*'é', token 2"):
        vocabulary.encode("abé", unknown=False)
    with pytest.raises(ValueError, match="`level`.*'letter'"):
        Vocabulary("abc", level="letter")
    with pytest.raises(ValueError, match="'é'"):
        sample(NGram([1, 2], 1, 4), vocabulary, 1, start="é")


# --- n-grams ------------------------------------------------------------------------------


def test_witten_bell_by_hand():
    """The text abab over <unk>, a, b: p(a) = (2 + 2/3) / 6, p(b | a) = (2 + p(b)) / 3, …"""
    model = NGram(np.array([1, 2, 1, 2]), 2, 3)
    np.testing.assert_allclose(model.probabilities(), np.array([1, 4, 4]) / 9)
    np.testing.assert_allclose(model.probabilities([1]), np.array([1, 4, 22]) / 27)
    np.testing.assert_allclose(model.probabilities([2]), np.array([1, 13, 4]) / 18)
    np.testing.assert_allclose(
        2 ** model.log2_probabilities(np.array([2, 1, 1, 0])), [4 / 9, 13 / 18, 4 / 27, 1 / 27]
    )


def witten_bell(tokens, order, size, history, token):
    """The recursion by its definition, counting each time."""
    if order == 0:
        return 1 / size
    context = tuple(history[len(history) - order + 1 :])
    shorter = witten_bell(tokens, order - 1, size, history, token)
    if len(context) < order - 1:
        return shorter
    followers = Counter(
        tokens[i + order - 1]
        for i in range(len(tokens) - order + 1)
        if tuple(tokens[i : i + order - 1]) == context
    )
    if not followers:
        return shorter
    n, t = followers.total(), len(followers)
    return (followers[token] + t * shorter) / (n + t)


few = st.lists(st.integers(0, 3), min_size=1, max_size=12)


@given(few, few, st.integers(1, 5))
def test_ngrams_follow_their_definition_and_sum_to_one(train, test, order):
    model = NGram(np.array(train), order, 4)
    scores = model.log2_probabilities(np.array(test))
    for t, token in enumerate(test):
        expected = witten_bell(train, order, 4, test[:t], token)
        next_token = model.probabilities(test[:t])
        assert math.isclose(2 ** scores[t], expected, rel_tol=1e-9)
        assert math.isclose(next_token[token], expected, rel_tol=1e-9)
        assert math.isclose(next_token.sum(), 1, rel_tol=1e-9)


@given(few, few)
def test_a_lower_order_of_a_higher_model(train, test):
    train, test = np.array(train), np.array(test)
    for order in (1, 2, 3):
        np.testing.assert_allclose(
            NGram(train, 4, 4).log2_probabilities(test, order=order),
            NGram(train, order, 4).log2_probabilities(test),
        )


def test_ngrams_refuse_what_they_cannot_count():
    with pytest.raises(ValueError, match="`order`.*order=0"):
        NGram([1, 2], 0, 3)
    with pytest.raises(ValueError, match="`tokens` must lie in 0 … 2.*5"):
        NGram([1, 5], 1, 3)
    with pytest.raises(ValueError, match="`tokens`.*empty"):
        NGram([1, 2], 1, 3).log2_probabilities([])


# --- the network --------------------------------------------------------------------------


def network(layer=LSTM, units=8, size=11, seed=3) -> LanguageModel:
    """A small model with random weights and biases."""
    keras.utils.set_random_seed(seed)
    model = LanguageModel(layer(units, return_sequences=True, return_state=True), size, 5)
    model.build((None, None))
    chance = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(chance.normal(size=weight.shape))
    return model


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(0).integers(0, 11, 300)


def test_a_uniform_model_needs_log2_v_bits(tokens):
    model = network()
    model.head.set_weights([np.zeros_like(weight) for weight in model.head.get_weights()])
    assert math.isclose(bits_per_character(model, tokens), math.log2(11), rel_tol=1e-6)
    assert math.isclose(perplexity(model, tokens), 11, rel_tol=1e-5)
    assert math.isclose(bits_per_character(NGram([0], 1, 1), [0, 0]), 0, abs_tol=1e-12)


@pytest.mark.parametrize("layer", [SimpleRNN, GRU, LSTM, keras.layers.GRU, keras.layers.LSTM])
def test_the_state_is_carried_from_piece_to_piece(layer, tokens):
    model = network(layer)
    logits = model(np.concatenate([[0], tokens[:-1]])[None])
    logs = ops.convert_to_numpy(ops.log_softmax(logits))[0]
    whole = logs[np.arange(len(tokens)), tokens] / math.log(2)
    for steps in (7, 512):
        np.testing.assert_allclose(
            model.log2_probabilities(tokens, steps=steps), whole, rtol=1e-4, atol=1e-4
        )


def test_streams_begin_anew_but_score_every_token_once(tokens):
    model = network()
    streams = model.log2_probabilities(tokens[:200], streams=4, steps=50)
    alone = model.log2_probabilities(tokens[:200])
    assert streams.shape == (200,)
    np.testing.assert_allclose(streams[:50], alone[:50], rtol=1e-4, atol=1e-4)
    assert not np.allclose(streams[50:60], alone[50:60], atol=1e-2)


def test_a_score_depends_on_the_past_alone(tokens):
    model, changed = network(), tokens.copy()
    changed[150] = (changed[150] + 1) % 11
    before, after = model.log2_probabilities(tokens), model.log2_probabilities(changed)
    np.testing.assert_array_equal(before[:150], after[:150])
    assert np.all(before[150:153] != after[150:153])


def test_greedy_sampling_reads_all_that_came_before():
    vocabulary = Vocabulary("abcdefghij")
    model, start = network(), "cab"
    text = sample(model, vocabulary, 12, start=start, temperature=0)
    for t in range(12):
        numbers = vocabulary.encode(start + text[:t])
        logits = ops.convert_to_numpy(model(np.concatenate([[0], numbers])[None]))[0, -1]
        assert text[t] == vocabulary.tokens[1 + int(np.argmax(logits[1:]))]


def test_sampling_draws_from_the_model():
    vocabulary = Vocabulary("ab")
    model = NGram([1, 1, 1, 2], 1, 3)
    p = model.probabilities()
    text = sample(model, vocabulary, 4000, seed=1)
    assert set(text) == {"a", "b"}  # never <unk>
    share = p[1] / (p[1] + p[2])
    assert abs(text.count("a") / 4000 - share) < 4 * math.sqrt(share * (1 - share) / 4000)
    assert sample(model, vocabulary, 40, temperature=0) == "a" * 40
    assert sample(model, vocabulary, 40, seed=5) == sample(model, vocabulary, 40, seed=5)
    cool = sample(model, vocabulary, 4000, temperature=0.3, seed=1)
    assert cool.count("a") > text.count("a") + 200
    with pytest.raises(ValueError, match="`temperature`.*-1"):
        sample(model, vocabulary, 1, temperature=-1)
    for few in ({"top_k": 1}, {"top_p": 0.3}):
        assert sample(model, vocabulary, 40, **few) == "a" * 40
    both = sample(model, vocabulary, 4000, top_k=2, seed=1)
    assert both == text  # the two that are drawn at all
    with pytest.raises(ValueError, match="`top_k`.*top_k=0"):
        sample(model, vocabulary, 1, top_k=0)
    for strange in (0, 1.5, math.nan):
        with pytest.raises(ValueError, match=f"`top_p`.*{strange}"):
            sample(model, vocabulary, 1, top_p=strange)


probabilities = st.lists(st.integers(1, 50), min_size=1, max_size=9).map(lambda c: np.array(c, "f"))


@given(probabilities, st.integers(1, 10))
def test_top_k_keeps_the_k_likeliest_in_their_proportions(counts, k):
    cut = distribution(np.log(counts), top_k=k)
    kept = cut > 0
    assert kept.sum() == min(k, len(counts))
    assert counts[kept].min() >= counts[~kept].max(initial=0)
    np.testing.assert_allclose(cut[kept], counts[kept] / counts[kept].sum(), rtol=1e-5)


@given(probabilities, st.integers(1, 99))
def test_the_nucleus_is_the_smallest_that_is_large_enough(counts, percent):
    share, top_p = counts / counts.sum(), percent / 100 + 0.00123  # never met exactly
    cut = distribution(np.log(counts), top_p=min(top_p, 1))
    kept = np.sort(share[cut > 0])[::-1]
    assert kept.sum() >= min(top_p, 1) - 1e-6 and kept[:-1].sum() < top_p
    assert kept.min() >= share[cut == 0].max(initial=0)
    np.testing.assert_allclose(cut[cut > 0], share[cut > 0] / kept.sum(), rtol=1e-5)


@given(probabilities, st.floats(0.2, 5))
def test_temperature_is_a_power_and_comes_before_the_cut(counts, temperature):
    power = counts.astype("f8") ** (1 / temperature)
    np.testing.assert_allclose(
        distribution(np.log(counts), temperature), power / power.sum(), rtol=1e-4
    )
    np.testing.assert_allclose(
        distribution(np.log(counts), temperature, 3, 0.5),
        distribution(np.log(power), 1, 3, 0.5),
        rtol=1e-4,
    )


def test_rows_are_cut_one_by_one_and_of_equals_the_first_is_kept():
    logits = np.random.default_rng(0).normal(size=(2, 3, 8))
    for options in ({"temperature": 0}, {"top_k": 3}, {"top_p": 0.6}, {"top_k": 4, "top_p": 0.7}):
        rows = [[distribution(row, **options) for row in rows] for rows in logits]
        np.testing.assert_array_equal(distribution(logits, **options), rows)
    assert distribution(np.zeros(4), top_k=2).tolist() == [0.5, 0.5, 0, 0]
    assert distribution(np.log([0.5, 0.3, 0.2]), top_k=2, top_p=0.6).tolist() == [1, 0, 0]


# --- training -----------------------------------------------------------------------------


def test_windows_continue_one_another():
    text = np.arange(100)
    x, y = (part.reshape(6, 4, 5) for part in sequential_windows(text, 4, 5, 0, 6))
    np.testing.assert_array_equal(y, (x + 1) % 100)
    np.testing.assert_array_equal(x[1:, :, 0], y[:-1, :, -1])
    np.testing.assert_array_equal(np.sort(x[:5].reshape(-1)), text)  # one reading: each token once
    later, _ = sequential_windows(text, 4, 5, 2, 4)
    np.testing.assert_array_equal(later, x[2:].reshape(-1, 5))


def test_training_carries_the_state_across_windows():
    """One token of six differs. Who counts from zero in each window of 4 steps cannot tell when:
    0.65 bits a token are all that the frequencies give, and such a model needs 1.4."""
    text = np.tile([1, 2, 2, 2, 2, 2], 200)
    learn = functools.partial(train_language_model, size=3, updates=120, batch_size=8, steps=4)
    reports = []
    model = learn(
        functools.partial(GRU, 24),
        text,
        learning_rate=2e-2,
        reports=3,
        report=lambda model, done, bits: reports.append((done, bits)),
    )
    assert [done for done, _ in reports] == [40, 80, 120]
    assert reports[-1][1] < reports[0][1]
    assert bits_per_character(model, text[:120]) < 0.4
    assert not model.recurrent.stateful


def test_fit_is_seeded_and_quiet(capfd):
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    y = x.sum(1, keepdims=True)

    def run():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.3)])
        model.add(keras.layers.Dense(1))
        history = fit(model, (x, y), validation=(x, y), epochs=3, loss="mse", clip_norm=0.5)
        return model, history

    (model, first), (_, second) = run(), run()
    assert first == second
    assert set(first) == {"loss", "val_loss"} and len(first["loss"]) == 3
    assert first["val_loss"][-1] < first["val_loss"][0]
    assert model.optimizer.clipnorm == 0.5
    assert "loss" not in capfd.readouterr().out


def test_fit_says_what_is_missing():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="`loss`"):
        fit(model, (np.zeros((2, 3)), np.zeros((2, 1))))
    with pytest.raises(ValueError, match="`clip_norm`.*0.5"):
        fit(model, (), loss="mse", optimizer=keras.optimizers.SGD(), clip_norm=0.5)


# --- the weights that are stored ----------------------------------------------------------


@pytest.fixture(scope="module")
def source():
    return keras_source()


@pytest.mark.parametrize("kind", LAYERS)
def test_stored_weights_are_what_their_figures_say(kind, source):
    model, vocabulary, figures = load_characters(kind)
    assert figures["finished"]
    assert model.count_params() == figures["parameters"]
    assert (WEIGHTS / f"characters-{kind}.npz").stat().st_size <= 2e6
    with np.load(WEIGHTS / f"characters-{kind}.npz", allow_pickle=False) as arrays:
        assert {arrays[name].dtype for name in arrays.files} == {np.dtype("float16")}
    bits = held_out_bits(model, vocabulary, source)
    same_text = source.version == figures["corpus"]["keras"]
    assert abs(bits - figures["bits_per_character"]["sample"]) < (0.002 if same_text else 0.1)


def test_gates_beat_every_ngram_and_the_plain_rnn():
    figures = {kind: load_characters(kind)[2] for kind in LAYERS}
    sizes = [f["parameters"] for f in figures.values()]
    assert max(sizes) < 1.03 * min(sizes)
    for part in ("held_out", "held_out_whole", "sample"):
        bits = {kind: f["bits_per_character"][part] for kind, f in figures.items()}
        for kind in ("gru", "lstm"):
            assert set(map(int, figures[kind]["n_grams"][part])) == set(range(1, 9))
            assert bits[kind] < min(figures[kind]["n_grams"][part].values())
            assert bits[kind] < bits["rnn"]


def test_the_log_and_the_figures_agree(root):
    log = (root / "models" / "characters.log").read_text(encoding="utf-8")
    for kind in LAYERS:
        figures = json.loads((WEIGHTS / f"characters-{kind}.json").read_text(encoding="utf-8"))
        assert str(figures["bits_per_character"]) in log
        assert figures["corpus"]["held_out_sha256"] in log


def test_stored_weights_fit_keras_layers():
    model, vocabulary, figures = load_characters("gru")
    layer = keras.layers.GRU(figures["units"], return_sequences=True, return_state=True)
    theirs = LanguageModel(layer, len(vocabulary), figures["embedding"])
    theirs.build((None, None))
    theirs.set_weights(model.get_weights())
    tokens = vocabulary.encode("class GRUCell(Layer):\n    def call(self, inputs, states):\n")[None]
    np.testing.assert_allclose(model(tokens), theirs(tokens), rtol=1e-3, atol=1e-3)


def test_saving_and_loading(tmp_path):
    model, vocabulary = network(GRU, size=4), Vocabulary("abc")
    save_characters("gru", model, vocabulary, {"units": 8, "embedding": 5}, tmp_path)
    again, read, figures = load_characters("gru", tmp_path)
    assert read.tokens == vocabulary.tokens and figures == {"units": 8, "embedding": 5}
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="`kind`.*'grue'"):
        load_characters("grue")
    with pytest.raises(FileNotFoundError, match="make models"):
        load_characters("lstm", tmp_path)
