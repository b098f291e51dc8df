"""The gated recurrent unit: the equations of one step."""

from d2lutils.cell import Cell


class GRUCell(Cell):
    """One step of a gated recurrent unit (Cho et al., 2014).

    x (batch, d), state h (batch, units) -> h, [h].
    reset_after=True (cuDNN, Keras) resets the state after its matrix product,
    reset_after=False (the paper) before it.
    """

    gates = "z", "r", "h"
    states = ("h",)

    def __init__(self, *args, reset_after=True, **options):
        super().__init__(*args, **options)
        self.reset_after = reset_after
        self.state_bias = reset_after

    def step(self, x, states):
        (h,) = states
        x_z, x_r, x_h = self.split(x)
        if self.reset_after:
            h_z, h_r, h_h = self.split(self.project_state(h))
        else:
            h_z, h_r = self.split(self.project_state(h, "z", "r"))

        z = self.recurrent_activation(x_z + h_z)
        r = self.recurrent_activation(x_r + h_r)
        h_h = r * h_h if self.reset_after else self.project_state(r * h, "h")
        h_tilde = self.activation(x_h + h_h)
        h = z * h + (1 - z) * h_tilde
        return h, [h]

    def get_config(self):
        return super().get_config() | {"reset_after": self.reset_after}
