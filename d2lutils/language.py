"""Language models: vocabulary, n-grams, a recurrent model, perplexity, sampling, training.

Two kinds of model, one way to ask them. `NGram` counts, `LanguageModel` is a network; both give
`log2_probabilities` of a text, read once from beginning to end, and both can be sampled.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from d2lutils.train import fit

UNKNOWN = "<unk>"


class Vocabulary:
    """Tokens and their numbers; number 0 is `<unk>`, which stands for every other token.

    Args:
        text: the text whose tokens it holds, in the order of their code points.
        level: "character", or "word": runs of letters and digits, and every other character by
            itself, so that the joined tokens are the text again.
        minimum: how often a token must occur to get a number of its own.

    Raises:
        ValueError: an empty text, an unknown level, or a `minimum` that no token reaches.
    """

    levels = {"character": r"(?s).", "word": r"(?s)\w+|."}

    def __init__(self, text: str, level: str = "character", minimum: int = 1):
        counts = Counter(self.tokenize(text, level))
        if minimum > max(counts.values()):
            raise ValueError(
                f"`minimum` must be at most {max(counts.values())}, the count of the commonest "
                f"token. Received: minimum={minimum}"
            )
        self.set_tokens((t for t in sorted(counts) if counts[t] >= minimum), level)

    @classmethod
    def from_tokens(cls, tokens: Iterable[str], level: str = "character") -> "Vocabulary":
        """The vocabulary with these tokens after `<unk>`, as stored with a model's weights."""
        vocabulary = cls.__new__(cls)
        vocabulary.set_tokens((token for token in tokens if token != UNKNOWN), level)
        return vocabulary

    def set_tokens(self, tokens: Iterable[str], level: str) -> None:
        self.level = level
        self.tokens = (UNKNOWN, *tokens)
        self.numbers = {token: number for number, token in enumerate(self.tokens)}
        if len(self.numbers) < len(self.tokens):
            twice, _ = Counter(self.tokens).most_common(1)[0]
            raise ValueError(f"`tokens` must be different. Received twice: {twice!r}")

    @classmethod
    def tokenize(cls, text: str, level: str = "character") -> list[str]:
        """Cut a text into tokens; joined they are the text again."""
        if level not in cls.levels:
            raise ValueError(f"`level` must be one of {list(cls.levels)}. Received: {level!r}")
        if not isinstance(text, str) or not text:
            raise ValueError(f"`text` must be a string that is not empty. Received: {text!r}")
        return list(text) if level == "character" else re.findall(cls.levels[level], text)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self.numbers

    def encode(self, text: str, unknown: bool = True) -> np.ndarray:
        """text -> numbers (tokens,), int32.

        Raises:
            ValueError: an empty text; or, with `unknown=False`, a token outside the vocabulary.
        """
        tokens = self.tokenize(text, self.level)
        if not unknown:
            strange = next((i for i, token in enumerate(tokens) if token not in self.numbers), None)
            if strange is not None:
                raise ValueError(
                    f"`text` must consist of the {len(self) - 1} tokens of the vocabulary. "
                    f"Received: {tokens[strange]!r}, token {strange} of the text"
                )
        return np.array([self.numbers.get(token, 0) for token in tokens], "int32")

    def decode(self, numbers: Iterable[int]) -> str:
        """numbers (tokens,) -> text, with `<unk>` where a token was unknown.

        Raises:
            ValueError: something else than numbers below the vocabulary's length.
        """
        numbers = whole_numbers(numbers, "numbers", len(self))
        return "".join(self.tokens[number] for number in numbers)


class NGram:
    """Interpolated n-grams with Witten–Bell smoothing.

    The longest context that training contains speaks first, and hands the rest to the shorter
    one. With a context h that was followed N(h) times, by T(h) different tokens,

        p(w | h) = (N(h, w) + T(h) p(w | h')) / (N(h) + T(h)),   h' = h without its first token,

    down to the uniform distribution over the vocabulary (Witten and Bell, 1991; Chen and Goodman,
    1998, equation 18). A context never seen leaves p(w | h') as it is.

    The grams of each length lie in one sorted array, in which a gram is the place of its first
    n - 1 tokens among the shorter grams, times `size`, plus its last token.

    Args:
        tokens: numbers (tokens,) to count.
        order: n, the number of tokens in the longest gram: contexts have up to n - 1.
        size: of the vocabulary; all numbers lie below it.

    Raises:
        ValueError: an order or a size below 1, no tokens, or a number outside the vocabulary.
    """

    def __init__(self, tokens: np.ndarray, order: int, size: int):
        if order < 1 or size < 1:
            raise ValueError(
                f"`order` and `size` must be at least 1. Received: order={order}, size={size}"
            )
        self.order, self.size = order, size
        tokens = checked(tokens, size)
        place = np.zeros(len(tokens), np.int64)  # of the context before each token
        self.tables = []
        for n in range(min(order, len(tokens))):
            keys, inverse, counts = np.unique(
                place * size + tokens[n:], return_inverse=True, return_counts=True
            )
            contexts = len(self.tables[-1][0]) if n else 1
            context = keys // size
            total = np.bincount(context, counts, contexts)  # N(h)
            kinds = np.bincount(context, minlength=contexts)  # T(h)
            self.tables.append((keys, counts, total, kinds))
            place = inverse.reshape(-1)[:-1]

    def log2_probabilities(self, tokens: np.ndarray, order: int | None = None) -> np.ndarray:
        """Base-2 logarithm of each token's probability after all before it (tokens,).

        `order` may be lower than the model's: the same counts serve every order.
        """
        tokens = checked(tokens, self.size)
        if order is not None and not 1 <= order <= self.order:
            raise ValueError(f"`order` must lie in 1 … {self.order}. Received: order={order}")
        context = np.zeros(len(tokens), np.int64)
        p = np.full(len(tokens), 1 / self.size)
        for table in self.tables[:order]:
            p, gram = interpolate(table, context, tokens, self.size, p)
            context = np.concatenate([[-1], gram[:-1]])
        return np.log2(p)

    def probabilities(self, history: Iterable[int] = ()) -> np.ndarray:
        """Distribution of the next token (size,) after `history`, of which the end counts."""
        history = whole_numbers(history, "history", self.size)
        history = history[-self.order + 1 :] if self.order > 1 else history[:0]
        words = np.arange(self.size)
        p = np.full(self.size, 1 / self.size)
        for n, table in enumerate(self.tables):
            if n > len(history):
                break
            context = self.find(history[len(history) - n :])
            p, _ = interpolate(table, np.full(self.size, context), words, self.size, p)
        return p

    def find(self, gram: np.ndarray) -> int:
        """The place of a gram among those of its length, -1 for one never seen; 0 for none."""
        place = np.zeros(1, np.int64)
        for (keys, *_), token in zip(self.tables, gram, strict=False):
            place = look_up(keys, np.where(place < 0, -1, place * self.size + token))
        return int(place[0])

    def next_tokens(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """For `sample`: log probabilities (size,), after each token that is sent in."""
        history = list(numbers)
        while True:
            token = yield np.log(self.probabilities(history))
            history = [*history[-self.order :], token]


def interpolate(table, context, tokens, size, p) -> tuple[np.ndarray, np.ndarray]:
    """One step of Witten–Bell: p(w | h') -> p(w | h), and the places of the grams h w."""
    keys, counts, total, kinds = table
    known = context >= 0
    gram = look_up(keys, np.where(known, context * size + tokens, -1))
    count = np.where(gram >= 0, counts[gram], 0)
    interpolated = (count + kinds[context] * p) / np.maximum(total[context] + kinds[context], 1)
    known &= total[context] > 0  # a gram at the very end of the text is a context of nothing
    return np.where(known, interpolated, p), gram


def look_up(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Places of `wanted` in the sorted `keys`, -1 for what is not there."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def checked(tokens: np.ndarray, size: int) -> np.ndarray:
    """Tokens (tokens,) as int64, after a look at their range."""
    tokens = whole_numbers(tokens, "tokens", size)
    if not len(tokens):
        raise ValueError(
            f"`tokens` must be one sequence that is not empty. Received: shape {tokens.shape}"
        )
    return tokens


def whole_numbers(given, name: str, size: int) -> np.ndarray:
    """One sequence (tokens,) of the numbers 0 … size - 1, maybe empty, as int64."""
    numbers = np.asarray(given if hasattr(given, "__len__") else list(given))
    if numbers.size and numbers.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be whole numbers, as `Vocabulary.encode` gives them. "
            f"Received: {numbers.dtype}, {str(given)[:40]!r}"
        )
    if numbers.ndim != 1:
        raise ValueError(f"`{name}` must be one sequence. Received: shape {numbers.shape}")
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < size:
        raise ValueError(
            f"`{name}` must lie in 0 … {size - 1}. Received: {numbers.min()} … {numbers.max()}"
        )
    return numbers.astype(np.int64)


class LanguageModel(keras.Model):
    """Embedding, one recurrent layer, and a linear layer to the logits of the next token.

    tokens (batch, steps), int -> logits (batch, steps, size).

    Args:
        recurrent: a layer (batch, steps, embedding) -> (batch, steps, h) made with
            return_sequences=True and return_state=True: `LSTM`, `Recurrent(GRUCell(…), …)`, ….
        size: of the vocabulary.
        embedding: width of a token's vector.
        dropout: rate of the units hidden from the last layer in training.

    Raises:
        ValueError: a layer that does not return its sequence and its state.
    """

    def __init__(
        self, recurrent: keras.Layer, size: int, embedding: int = 64, dropout: float = 0.0
    ):
        super().__init__()
        if not (
            getattr(recurrent, "return_sequences", 0) and getattr(recurrent, "return_state", 0)
        ):
            raise ValueError(
                "`recurrent` must be a layer with return_sequences=True and return_state=True. "
                f"Received: recurrent={recurrent!r}"
            )
        self.size = size
        self.embedding = keras.layers.Embedding(size, embedding)
        self.recurrent = recurrent
        self.dropout = keras.layers.Dropout(dropout)
        self.head = keras.layers.Dense(size)
        self.width = embedding
        self.read_graph = tf.function(self.read, reduce_retracing=True)

    def build(self, tokens_shape):
        self.embedding.build(tokens_shape)
        self.recurrent.build((*tokens_shape, self.width))
        hidden, *_ = self.recurrent.compute_output_shape((*tokens_shape, self.width))
        self.head.build(hidden)
        self.built = True

    def call(self, tokens, training=False):
        hidden, *_ = self.recurrent(self.embedding(tokens), training=training)
        return self.head(self.dropout(hidden, training=training))

    def read(self, tokens, states=None):
        """Read on: tokens (batch, steps), the states left behind -> logits, new states."""
        hidden, *states = self.recurrent(self.embedding(tokens), initial_state=states)
        return self.head(hidden), states

    def log2_probabilities(
        self, tokens: np.ndarray, streams: int = 1, steps: int = 256
    ) -> np.ndarray:
        """Base-2 logarithm of each token's probability after all before it (tokens,).

        The text is read once, without overlap, `steps` tokens at a time, and the state is carried
        from one piece to the next. Before the first token stands number 0.

        `streams` > 1 cuts the text into as many pieces that are read side by side, which is
        faster; each piece then begins with a state of zeros, and so scores slightly worse.
        """
        tokens = checked(tokens, self.size)
        at_least_one(streams=streams, steps=steps)
        length = -(-len(tokens) // (streams * steps)) * steps
        before = np.concatenate([[0], tokens[:-1]])
        inputs, targets = (
            np.pad(row, (0, streams * length - len(row))).reshape(streams, length)
            for row in (before, tokens)
        )
        states = zero_states(self.recurrent, streams)
        scores = []
        for start in range(0, length, steps):
            piece = slice(start, start + steps)
            logits, states = self.read_graph(ops.convert_to_tensor(inputs[:, piece]), states)
            logs = ops.log_softmax(logits)
            scores.append(
                np.take_along_axis(ops.convert_to_numpy(logs), targets[:, piece, None], 2)
            )
        nats = np.concatenate(scores, axis=1).reshape(-1)[: len(tokens)]
        return nats.astype("float64") / math.log(2)

    def next_tokens(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """For `sample`: logits (size,), after each token that is sent in; the state is carried."""
        states = zero_states(self.recurrent, 1)
        for token in (0, *numbers):
            logits, states = self.read_graph(ops.convert_to_tensor([[int(token)]]), states)
        while True:
            token = yield ops.convert_to_numpy(logits[0, -1]).astype("float64")
            logits, states = self.read_graph(ops.convert_to_tensor([[int(token)]]), states)


def zero_states(layer: keras.Layer, batch_size: int) -> list:
    """The states (batch, h) from which a recurrent layer starts, as a list."""
    states = layer.get_initial_state(batch_size)
    return list(states) if isinstance(states, (list, tuple)) else [states]


def bits_per_character(model, tokens: np.ndarray, **options) -> float:
    """Mean of -log2 p(token | all before it), for an `NGram` or a `LanguageModel`.

    Options go to the model's `log2_probabilities`. For words it is bits per word.
    """
    return float(-np.mean(model.log2_probabilities(tokens, **options)))


def perplexity(model, tokens: np.ndarray, **options) -> float:
    """2 to the power of the bits per token: among how many equal choices the model hesitates."""
    return 2 ** bits_per_character(model, tokens, **options)


def sample(
    model,
    vocabulary: Vocabulary,
    length: int,
    *,
    start: str = "",
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    seed: int = 0,
) -> str:
    """`length` tokens drawn from the model one at a time, each after all before it, as a text.

    Args:
        model: an `NGram` or a `LanguageModel`.
        start: what the model reads first; it is not part of what is returned.
        temperature, top_k, top_p: see `distribution`.
        seed: of the draws.

    `<unk>` is never drawn.

    Raises:
        ValueError: a negative length, what `distribution` refuses, a character of `start` outside
            the vocabulary, or a vocabulary of another size than the model's.
    """
    if length < 0:
        raise ValueError(f"`length` must not be negative. Received: length={length}")
    if len(vocabulary) != model.size:
        raise ValueError(
            f"`vocabulary` must be the model's, of {model.size} tokens. "
            f"Received: one of {len(vocabulary)}"
        )
    chance = np.random.default_rng(seed)
    numbers = vocabulary.encode(start, unknown=False) if start else np.zeros(0, "int32")
    following = model.next_tokens(numbers)
    logits, drawn = next(following), []
    for _ in range(length):
        p = distribution(logits[1:], temperature, top_k, top_p)
        drawn.append(1 + int(chance.choice(len(p), p=p)))
        logits = following.send(drawn[-1])
    return vocabulary.decode(drawn)


def distribution(
    logits: np.ndarray, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
) -> np.ndarray:
    """Probabilities to draw from, by logits (…, size): first cooled, then cut to the likeliest.

    Args:
        temperature: the logits are divided by it. 1 leaves the model's probabilities, less makes
            the likely likelier, 0 leaves the likeliest token alone.
        top_k: this many of the likeliest tokens are kept; None keeps all.
        top_p: of those, the fewest that together have at least this probability (Holtzman et al.,
            2020) are kept; 1 keeps all.

    What is kept is divided by its sum. Of equally likely tokens the first counts as likelier.

    Raises:
        ValueError: a negative temperature, a `top_k` below 1, or a `top_p` outside 0 … 1.
    """
    if not temperature >= 0:
        raise ValueError(f"`temperature` must not be negative. Received: {temperature}")
    if top_k is not None:
        at_least_one(top_k=top_k)
    if not 0 < top_p <= 1:
        raise ValueError(f"`top_p` must lie above 0 and be at most 1. Received: top_p={top_p}")
    if temperature == 0:
        return np.eye(logits.shape[-1])[np.argmax(logits, -1)]
    scaled = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    p = scaled / scaled.sum(-1, keepdims=True)
    if top_k is None and top_p == 1:
        return p
    order = np.argsort(-p, axis=-1, kind="stable")
    sorted_p = np.take_along_axis(p, order, -1).astype("float64")
    sorted_p[..., top_k or logits.shape[-1] :] = 0
    sorted_p /= sorted_p.sum(-1, keepdims=True)
    likelier = np.cumsum(sorted_p, -1) - sorted_p  # probability of all that stand before
    sorted_p[likelier >= top_p] = 0
    sorted_p /= sorted_p.sum(-1, keepdims=True)
    np.put_along_axis(cut := np.zeros_like(sorted_p), order, sorted_p, -1)
    return cut


# --- training -----------------------------------------------------------------------------


def sequential_windows(
    tokens: np.ndarray, batch_size: int, steps: int, first: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Windows for a stateful layer: inputs and targets, each (count · batch, steps).

    The text is a ring on which `batch_size` readers start at equal distances and go on without a
    gap: row b of a batch continues row b of the batch before. `first` and `count` say which
    batches of that endless reading are wanted.
    """
    starts = np.arange(batch_size) * len(tokens) // batch_size
    moved = steps * np.arange(first, first + count)
    place = moved[:, None, None] + starts[:, None] + np.arange(steps + 1)
    windows = tokens[place % len(tokens)].reshape(-1, steps + 1)
    return windows[:, :-1], windows[:, 1:]


def train_language_model(
    recurrent: Callable[..., keras.Layer],
    tokens: np.ndarray,
    size: int,
    *,
    updates: int,
    embedding: int = 64,
    dropout: float = 0.0,
    batch_size: int = 64,
    steps: int = 64,
    learning_rate: float = 4e-3,
    clip_norm: float = 1.0,
    reports: int = 1,
    report: Callable[[LanguageModel, int, float], None] | None = None,
    seed: int = 0,
) -> LanguageModel:
    """Train a `LanguageModel` by truncated backpropagation through time.

    The state is carried from batch to batch (a stateful layer) and the gradient ends at
    the window's edge. Adam (Kingma and Ba, 2015); the learning rate climbs for the first
    twentieth of the updates and then falls along a cosine to a hundredth of its height.

    Args:
        recurrent: makes the recurrent layer out of the options it is given,
            `functools.partial(LSTM, 256)` or `lambda **options: Recurrent(GRUCell(64), **options)`.
        tokens: numbers (tokens,) of the text to learn from.
        size: of the vocabulary.
        updates: number of batches.
        embedding, dropout: see `LanguageModel`.
        batch_size, steps: a batch is (batch_size, steps).
        learning_rate: the highest one. clip_norm: longest gradient of each weight.
        reports: in how many parts the training is cut.
        report: called after each with the model so far, the number of updates done and the mean
            training loss since the last report, in bits per token.

    Returns:
        model: with the trained weights, free of the batch size it was trained with.

    Raises:
        TypeError: `recurrent` is a layer, not what makes one.
        ValueError: a size or a count below 1, tokens outside the vocabulary, or more reports than
            updates.
    """
    if isinstance(recurrent, keras.Layer):
        raise TypeError(
            "`recurrent` must be a function that makes the layer, such as "
            f"functools.partial(LSTM, 256). Received: recurrent={recurrent!r}"
        )
    at_least_one(updates=updates, batch_size=batch_size, steps=steps, reports=reports)
    if reports > updates:
        raise ValueError(
            f"`reports` must be at most `updates`. Received: reports={reports}, updates={updates}"
        )
    tokens = checked(tokens, size)
    keras.utils.set_random_seed(seed)
    options = {"return_sequences": True, "return_state": True}
    model = LanguageModel(recurrent(**options, stateful=True), size, embedding, dropout)
    model.build((batch_size, steps))
    free = LanguageModel(recurrent(**options), size, embedding)
    free.build((None, None))
    climb = max(1, updates // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        learning_rate / 10,
        max(1, updates - climb),
        alpha=0.1,
        warmup_target=learning_rate,
        warmup_steps=climb,
    )
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=clip_norm),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,  # as fast here, and the same numbers with deterministic ops on or off
    )
    edges = np.linspace(0, updates, reports + 1).astype(int)
    for number, (first, last) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        windows = sequential_windows(tokens, batch_size, steps, first, last - first)
        history = fit(model, windows, batch_size=batch_size, shuffle=False, seed=seed + number)
        copy_weights(model, free)
        if report is not None:
            report(free, int(last), history["loss"][0] / math.log(2))
    return free


def at_least_one(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={count}")


def copy_weights(source: LanguageModel, target: LanguageModel) -> None:
    for name in ("embedding", "recurrent", "head"):
        getattr(target, name).set_weights(getattr(source, name).get_weights())
