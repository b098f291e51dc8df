"""The long short-term memory: the equations of one step."""

from keras import ops

from d2lutils.cell import Cell


class LSTMCell(Cell):
    """One step of a long short-term memory (Hochreiter & Schmidhuber, 1997; Gers et al., 2000).

    x (batch, d), states h and c (batch, units) -> h, [h, c].
    unit_forget_bias=True starts the forget gate's bias at one (Jozefowicz et al., 2015).
    """

    gates = "i", "f", "c", "o"
    states = "h", "c"

    def __init__(self, *args, unit_forget_bias=True, **options):
        super().__init__(*args, **options)
        self.unit_forget_bias = unit_forget_bias

    def step(self, x, states):
        h, c = states
        i, f, c_tilde, o = self.split(x + self.project_state(h))
        sigma, phi = self.recurrent_activation, self.activation

        i, f, o = sigma(i), sigma(f), sigma(o)
        c = f * c + i * phi(c_tilde)
        h = o * phi(c)
        return h, [h, c]

    def initial_bias(self, shape, dtype=None):
        if not self.unit_forget_bias:
            return super().initial_bias(shape, dtype)
        b_i = self.bias_initializer((self.units,), dtype=dtype)
        b_f = ops.ones((self.units,), dtype)
        b_co = self.bias_initializer((2 * self.units,), dtype=dtype)
        return ops.concatenate([b_i, b_f, b_co])

    def get_config(self):
        return super().get_config() | {"unit_forget_bias": self.unit_forget_bias}
