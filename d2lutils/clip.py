"""Gradient clipping, in the three ways that Keras' optimizers offer."""

from collections.abc import Sequence

from keras import ops


def clip(gradients: Sequence, limit: float, by: str = "global_norm") -> list:
    """Gradients that are too long, made shorter; the others are left as they are.

    Args:
        gradients: one tensor for each weight.
        limit: the largest size allowed.
        by: "value" (of each number), "norm" (of each tensor), or "global_norm" (of all together),
            as `clipvalue`, `clipnorm` and `global_clipnorm` in Keras.

    Raises:
        ValueError: an unknown `by`, or a limit that is not positive.
    """
    if by not in ("value", "norm", "global_norm") or not limit > 0:
        raise ValueError(
            "`by` must be 'value', 'norm' or 'global_norm', and `limit` positive. "
            f"Received: by={by!r}, limit={limit!r}"
        )
    if by == "value":
        return [ops.clip(g, -limit, limit) for g in gradients]
    norms = [ops.sqrt(ops.sum(g**2)) for g in gradients]
    if by == "global_norm":
        norms = [ops.sqrt(sum(norm**2 for norm in norms))] * len(norms)
    return [g * (limit / ops.maximum(norm, limit)) for g, norm in zip(gradients, norms)]
