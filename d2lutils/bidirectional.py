"""Bidirectional: two recurrent layers over the same sequence, one of them reversed."""

import keras
from keras import ops

MERGE = {
    "concat": lambda forward, backward: ops.concatenate([forward, backward], axis=-1),
    "sum": lambda forward, backward: forward + backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
    "mul": lambda forward, backward: forward * backward,
    None: lambda forward, backward: (forward, backward),
}


class Bidirectional(keras.layers.Layer):
    """Run a layer forwards and a second one backwards (Schuster & Paliwal, 1997).

    sequences (batch, steps, d) -> (batch, steps, 2h) with merge_mode "concat", (batch, steps, h)
    with "sum", "ave", "mul", a pair with None; without `return_sequences`, the same of the two
    last outputs. With `return_state`: a tuple of that, the forward states, the backward states.

    Args:
        layer: the recurrent layer to copy for the forward direction (`Recurrent`, or a drop-in).
        merge_mode: how the two outputs of a step are joined: one of "concat", "sum", "ave",
            "mul", None.
        weights: arrays for both layers, forward first, in the order of `get_weights`; random
            ones by default.
        backward_layer: the layer for the other direction; by default a second copy of `layer`.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments: those of `Recurrent`. `initial_state` holds the forward states first.

    Raises:
        ValueError: an unknown merge mode, directions that agree, options that differ, an odd
            number of initial states.
    """

    def __init__(
        self, layer, merge_mode: str | None = "concat", weights=None, backward_layer=None, **kwargs
    ):
        if merge_mode not in MERGE:
            raise ValueError(
                f"`merge_mode` must be one of {list(MERGE)}. Received: merge_mode={merge_mode!r}"
            )
        if not hasattr(layer, "go_backwards"):
            raise ValueError(
                "`layer` must be a recurrent layer, as `Recurrent` or `keras.layers.LSTM`. "
                f"Received: layer={layer!r}"
            )
        kwargs["dtype"] = kwargs.get("dtype") or layer.dtype_policy
        super().__init__(**kwargs)
        self.merge_mode = merge_mode
        self.first_weights = weights
        self.forward_layer = copy(layer, "forward", layer.go_backwards)
        self.backward_layer = backward_layer or copy(layer, "backward", not layer.go_backwards)
        check_pair(self.forward_layer, self.backward_layer)
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.stateful = layer.stateful
        self.supports_masking = True
        for direction in (self.forward_layer, self.backward_layer):
            # Where steps are masked, one direction has no output yet and the other has one no
            # longer: as in Keras, both write zeros there.
            direction.zero_output_for_mask = self.return_sequences

    def build(self, sequences_shape, initial_state_shape=None):
        for direction in (self.forward_layer, self.backward_layer):
            if not direction.built:
                direction.build(sequences_shape)
        self.built = True
        if self.first_weights is not None:
            self.set_weights(self.first_weights)
            self.first_weights = None

    def call(self, sequences, initial_state=None, mask=None, training=False):
        first, second = self.halves("initial_state", initial_state)
        options = {"mask": mask, "training": training}
        forward = self.forward_layer(sequences, initial_state=first, **options)
        backward = self.backward_layer(sequences, initial_state=second, **options)
        states = ()
        if self.return_state:
            (forward, *first), (backward, *second) = forward, backward
            states = (*first, *second)
        if self.return_sequences:
            backward = ops.flip(backward, axis=1)  # computed from the end: turn it round
        forward, backward = (ops.cast(y, self.compute_dtype) for y in (forward, backward))
        merged = MERGE[self.merge_mode](forward, backward)
        if not self.return_state:
            return merged
        return (*merged, *states) if self.merge_mode is None else (merged, *states)

    @staticmethod
    def halves(name: str, states) -> tuple:
        if states is None:
            return None, None
        half, odd = divmod(len(states), 2)
        if odd or not half:
            raise ValueError(
                f"`{name}` must hold the states of the forward layer and then as many of the "
                f"backward layer. Received: {len(states)} state(s)"
            )
        return list(states[:half]), list(states[half:])

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        forward = self.forward_layer.compute_output_shape(sequences_shape)
        backward = self.backward_layer.compute_output_shape(sequences_shape)
        states = ()
        if self.return_state:
            (forward, *first), (backward, *second) = forward, backward
            states = (*first, *second)
        if self.merge_mode is None:
            return (forward, backward, *states)
        if self.merge_mode == "concat":
            forward = (*forward[:-1], forward[-1] + backward[-1])
        return (forward, *states) if self.return_state else forward

    def compute_mask(self, sequences, mask=None):
        masks = self.forward_layer.compute_mask(sequences, mask)
        output, *states = masks if self.return_state else [masks]
        masks = [output] * (2 if self.merge_mode is None else 1) + 2 * states
        return masks if len(masks) > 1 else masks[0]

    @property
    def states(self):
        """The states kept between batches, forward ones first; None unless stateful and built."""
        kept = self.forward_layer.states, self.backward_layer.states
        return None if None in kept else [*kept[0], *kept[1]]

    def reset_state(self, states=None) -> None:
        """Set the kept states to zero, or to `states`, the forward ones first."""
        first, second = self.halves("states", states)
        self.forward_layer.reset_state(*[first] if first else [])
        self.backward_layer.reset_state(*[second] if second else [])

    reset_states = reset_state

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "layer": keras.saving.serialize_keras_object(self.forward_layer),
            "backward_layer": keras.saving.serialize_keras_object(self.backward_layer),
            "merge_mode": self.merge_mode,
        }

    @classmethod
    def from_config(cls, config: dict):
        for direction in ("layer", "backward_layer"):
            config[direction] = keras.saving.deserialize_keras_object(config[direction])
        return cls(**config)


def copy(layer, direction: str, go_backwards: bool):
    """A layer with the same options, fresh weights and the name `forward_…` or `backward_…`."""
    name = layer.name.removeprefix("forward_").removeprefix("backward_")
    config = layer.get_config() | {"name": f"{direction}_{name}", "go_backwards": go_backwards}
    return type(layer).from_config(config)


def check_pair(forward, backward):
    if forward.go_backwards == backward.go_backwards:
        raise ValueError(
            "`layer` and `backward_layer` must run in opposite directions. "
            f"Received: go_backwards={forward.go_backwards} for both"
        )
    for option in ("return_sequences", "return_state", "stateful"):
        ours, other = getattr(forward, option), getattr(backward, option)
        if ours != other:
            raise ValueError(
                f"`layer` and `backward_layer` must agree on `{option}`. "
                f"Received: {ours} and {other}"
            )
