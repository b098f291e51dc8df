"""The plain recurrent cell: the equation of one step."""

from d2lutils.cell import Cell


class RNNCell(Cell):
    """One step of a plain recurrent network (Elman, 1990).

    x (batch, d), state h (batch, units) -> h, [h].
    Weights, options and errors are those of `Cell`; there is no gate, so no recurrent_activation.
    """

    gates = ("h",)
    states = ("h",)

    def __init__(self, units, activation="tanh", use_bias=True, **options):
        super().__init__(units, activation, None, use_bias, **options)

    def step(self, x, states):
        (h,) = states
        h = self.activation(x + self.project_state(h))
        return h, [h]

    def get_config(self):
        config = super().get_config()
        del config["recurrent_activation"], config["implementation"]  # a single gate needs neither
        return config
