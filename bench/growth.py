"""Time and memory of our loop against the number of steps: both must grow linearly.

    python bench/growth.py

Forward and backward pass of `LSTM(64, return_sequences=True)`, batch 32, 32 inputs. Every number
of steps runs in a process of its own, so that its peak memory is its own. The exponent is the
slope of log(cost) over log(steps), the cost at one step taken off: 1 is linear, 2 quadratic.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time

STEPS = (1, 256, 512, 1024, 2048)
REPETITIONS = 7


def measure(mode: str, steps: int) -> dict:
    """Median seconds of one pass, and the process's peak memory in MiB."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np
    import tensorflow as tf

    from d2lutils import LSTM

    layer = LSTM(64, return_sequences=True)
    x = tf.constant(np.random.default_rng(0).standard_normal((32, steps, 32)), "float32")
    layer(x[:, :1])

    def both_ways(x):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(x) ** 2)
        return tape.gradient(total, [w.value for w in layer.trainable_weights])

    run = both_ways if mode == "eager" else tf.function(both_ways)
    run(x)
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        [gradient.numpy() for gradient in run(x)]
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": float(np.median(seconds)), "MiB": peak}


def exponent(costs: list[float]) -> float:
    """The power with which cost grows from the second to the last number of steps."""
    from math import log

    own = [cost - costs[0] for cost in costs[1:]]
    return log(own[-1] / own[0]) / log(STEPS[-1] / STEPS[1])


def main() -> None:
    from importlib.metadata import version

    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors,", end=" ")
    print(f"TensorFlow {version('tensorflow')}, Keras {version('keras')}")
    for mode in ("eager", "graph"):
        print(f"\n{mode}: steps  milliseconds  MiB")
        found = []
        for steps in STEPS:
            command = [sys.executable, __file__, mode, str(steps)]
            found.append(json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL)))
            print(f"{steps:12}  {1000 * found[-1]['seconds']:12.1f}  {found[-1]['MiB']:.0f}")
        for cost in ("seconds", "MiB"):
            print(f"grows as steps^{exponent([f[cost] for f in found]):.2f} in {cost}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
