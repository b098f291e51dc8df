"""The one training helper that chapters share: `model.fit`, seeded, quiet, and able to go on."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from d2lutils.data.stored import write_whole


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
    backup: str | Path | None = None,
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
        backup: a file for the state after each epoch. A training that was stopped goes on from
            there when the same call is made again, and under deterministic operations ends with
            the same weights. At the end the file is removed. Not kept: what callbacks remember,
            and how often a data set that reshuffles itself has done so.
        seed: of every generator; with `backup`, seed + k before epoch k, so that each is shuffled
            in its own way.

    Returns:
        history: name of a measure -> its value after each epoch ("loss", "val_loss", …).

    Raises:
        ValueError: `clip_norm` beside an optimizer that is already made, a model that is
            neither compiled nor given a loss, arrays that are not two or three, or a backup of
            another model or that was cut short.
    """
    keras.utils.set_random_seed(seed)
    if loss is not None:
        model.compile(chosen(optimizer, clip_norm), loss, metrics=list(metrics))
    elif not model.compiled:
        raise ValueError("`loss` must be given for a model that is not compiled. Received: None")
    if isinstance(train, (tuple, list)):
        if len(train) not in (2, 3):
            raise ValueError(
                "`train` must be (inputs, targets), (inputs, targets, weights) or a data set. "
                f"Received: a {type(train).__name__} of {len(train)}"
            )
        inputs, targets, *weights = train
        options |= {"y": targets, "batch_size": batch_size, "shuffle": shuffle}
        options |= {"sample_weight": weights[0]} if weights else {}
    else:
        inputs = train
    options |= {"validation_data": validation, "callbacks": list(callbacks), "verbose": 0}
    if backup is None:
        return model.fit(inputs, epochs=epochs, **options).history
    one_epoch = lambda k: model.fit(inputs, initial_epoch=k, epochs=k + 1, **options).history
    return go_on(model, one_epoch, epochs, Path(backup), seed)


def go_on(model, one_epoch: Callable, epochs: int, backup: Path, seed: int) -> dict:
    """Train epoch by epoch from the one where `backup` stands.

    `keras.callbacks.BackupAndRestore` keeps neither the seeds of dropout nor the states of stateful
    layers, and may be killed between its two files.
    """
    if not model.built:
        raise ValueError("`backup` needs a built model: give it an `Input`, or call it once")
    model.optimizer.build(model.trainable_variables)
    history = restore(model, backup) if backup.is_file() else {}
    for k in range(len(history.get("loss", [])), epochs):
        keras.utils.set_random_seed(seed + k)
        for name, values in one_epoch(k).items():
            history[name] = history.get(name, []) + values
        arrays = [keras.ops.convert_to_numpy(variable) for variable in state_of(model)]
        np.savez(content := io.BytesIO(), *arrays, history=json.dumps(history))
        write_whole(backup, content.getvalue())
    backup.unlink(missing_ok=True)
    return history


def restore(model, backup: Path) -> dict:
    """Give a model the state that it had -> the history up to then."""
    variables = state_of(model)
    try:
        with np.load(backup, allow_pickle=False) as stored:
            history = json.loads(str(stored["history"]))
            arrays = [stored[f"arr_{k}"] for k in range(len(stored.files) - 1)]
    except Exception as error:  # of many kinds, whatever the file may be
        raise ValueError(f"`backup` {backup} cannot be read, delete it: {error!r}") from error
    if [a.shape for a in arrays] != [tuple(v.shape) for v in variables]:
        raise ValueError(f"`backup` {backup} is of another model: delete it, or name another file")
    for variable, array in zip(variables, arrays):
        variable.assign(array)
    return history


def state_of(model) -> list[keras.Variable]:
    """All that training changes: weights, seeds, the optimizer's variables, states that are kept.

    Measures are not: each epoch begins them anew.
    """
    measures = {id(variable) for variable in model.metrics_variables}
    kept = keras.tree.flatten([getattr(layer, "states", ()) for layer in model._flatten_layers()])
    states = [state for state in kept if isinstance(state, keras.Variable)]
    variables = [*model.variables, *model.optimizer.variables, *states]
    return [variable for variable in variables if id(variable) not in measures]


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
