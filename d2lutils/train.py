"""The one training helper that chapters share: `model.fit`, seeded and quiet."""

from collections.abc import Sequence

import keras


def fit(
    model: keras.Model,
    train,
    *,
    validation=None,
    epochs: int = 1,
    batch_size: int | None = 32,
    loss=None,
    optimizer="adam",
    metrics: Sequence = (),
    clip_norm: float | None = None,
    shuffle: bool = True,
    callbacks: Sequence = (),
    seed: int = 0,
    **options,
) -> dict[str, list[float]]:
    """Train `model` with `model.fit`: the same numbers each time, and no progress bar.

    The seed governs order, dropout and whatever else is drawn from here on; weights that are
    already there it leaves alone (seed before building the model).

    Args:
        model: compiled here if `loss` is given, else as its owner compiled it.
        train: (inputs, targets) or (inputs, targets, weights) as arrays, or a `tf.data.Dataset`.
        validation: the same for the held-out part.
        epochs, batch_size, shuffle, callbacks, options: as in `keras.Model.fit`. A data set
            brings its own batches.
        loss, metrics: as in `keras.Model.compile`.
        optimizer: a name, or an optimizer with its learning rate and clipping set.
        clip_norm: largest norm of each weight's gradient; for an optimizer given by name.
        seed: of every generator.

    Returns:
        history: name of a measure -> its value after each epoch ("loss", "val_loss", …).

    Raises:
        ValueError: `clip_norm` beside an optimizer that is already made, or a model that is
            neither compiled nor given a loss.
    """
    keras.utils.set_random_seed(seed)
    if loss is not None:
        model.compile(chosen(optimizer, clip_norm), loss, metrics=list(metrics))
    elif not model.compiled:
        raise ValueError("`loss` must be given for a model that is not compiled. Received: None")
    if isinstance(train, (tuple, list)):
        inputs, targets, *weights = train
        options |= {"y": targets, "batch_size": batch_size, "shuffle": shuffle}
        options |= {"sample_weight": weights[0]} if weights else {}
    else:
        inputs = train
    history = model.fit(
        inputs,
        epochs=epochs,
        validation_data=validation,
        callbacks=list(callbacks),
        verbose=0,
        **options,
    )
    return history.history


def chosen(optimizer, clip_norm: float | None) -> keras.optimizers.Optimizer:
    """The optimizer, clipping set."""
    if not isinstance(optimizer, str):
        if clip_norm is not None:
            raise ValueError(
                "`clip_norm` is for an optimizer given by name; set `clipnorm` where yours is "
                f"made. Received: clip_norm={clip_norm!r}, optimizer={optimizer!r}"
            )
        return optimizer
    made = keras.optimizers.get(optimizer)
    return type(made).from_config({**made.get_config(), "clipnorm": clip_norm})
