"""The only matplotlib in the library: the few kinds of picture that the book draws."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib_inline.backend_inline import set_matplotlib_formats

COLOURS = ("#0b5394", "#c4500c", "#2e7d32", "#7b3fa0", "#8a6d00", "#00838f")

plt.rcParams.update(
    {
        "figure.figsize": (6.4, 3.4),
        "figure.constrained_layout.use": True,
        "axes.prop_cycle": plt.cycler(color=COLOURS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "legend.frameon": False,
        "image.cmap": "Blues",
        "savefig.facecolor": "white",  # readable on a dark page too
    }
)
set_matplotlib_formats("retina", metadata={"Software": None})  # the same bytes each time


def axes(columns: int = 1, *, height: float = 3.4, width: float | None = None, **options):
    """A figure with `columns` axes side by side -> one axes, or an array of them."""
    width = width or (6.4 if columns == 1 else min(10.0, 4.0 * columns))
    return plt.subplots(1, columns, figsize=(width, height), **options)[1]


def label(ax, xlabel: str, ylabel: str, title: str = "", log: str = "") -> None:
    """Name the axes; `log` is "", "x", "y" or "xy"."""
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")


def curves(series: Mapping, x: Sequence, xlabel: str, ylabel: str, *, ax=None, log="", title=""):
    """One line for each entry of `series`: name -> values (len(x),) or, by seed, (seeds, len(x)).

    Several seeds are drawn as their mean with a band from the smallest to the largest.
    """
    ax = ax or axes()
    for name, values in series.items():
        values = np.atleast_2d(values)
        (line,) = ax.plot(x, values.mean(0), marker="o" if len(x) <= 20 else None, label=name)
        if len(values) > 1:
            ax.fill_between(x, values.min(0), values.max(0), color=line.get_color(), alpha=0.18)
    label(ax, xlabel, ylabel, title, log)
    if len(series) > 1:
        ax.legend()
    return ax


def bars(values: Mapping, ylabel: str, *, ax=None, title="", baseline: float | None = None):
    """One bar for each entry: name -> number, or the numbers of several seeds (mean and range)."""
    ax = ax or axes()
    for k, seeds in enumerate(values.values()):
        seeds = np.atleast_1d(seeds)
        mean = seeds.mean()
        ax.bar(k, mean, color=COLOURS[k % len(COLOURS)], width=0.65)
        if len(seeds) > 1:
            reach = [[mean - seeds.min()], [seeds.max() - mean]]
            ax.errorbar(k, mean, yerr=reach, color="black", capsize=4)
    ax.set_xticks(range(len(values)), list(values))
    ax.grid(axis="x", visible=False)
    if baseline is not None:
        ax.axhline(baseline, color="black", linestyle="--", linewidth=1)
    label(ax, "", ylabel, title)
    return ax


def heatmap(
    matrix, xlabel: str, ylabel: str, *, ax=None, xticks=None, yticks=None, title="", **options
):
    """A matrix as colours, rows from top to bottom; `options` go to `imshow`."""
    ax = ax or axes()
    image = ax.imshow(np.asarray(matrix), aspect="auto", **options)
    ax.figure.colorbar(image, ax=ax)
    ax.grid(visible=False)
    if xticks is not None:
        ax.set_xticks(range(len(xticks)), list(xticks))
    if yticks is not None:
        ax.set_yticks(range(len(yticks)), list(yticks))
    label(ax, xlabel, ylabel, title)
    return ax


def histograms(values: Mapping, xlabel: str, *, bins=40, extent=(0.0, 1.0), height=2.6):
    """One histogram for each entry, side by side on the same scales: name -> array."""
    figure = np.atleast_1d(axes(len(values), height=height, sharey=True))
    for ax, (name, numbers), colour in zip(figure, values.items(), COLOURS, strict=False):
        numbers = np.ravel(numbers)
        ax.hist(
            numbers, bins, extent, weights=np.full(len(numbers), 1 / len(numbers)), color=colour
        )
        label(ax, xlabel, "share" if ax is figure[0] else "", name)
    return figure


def over_text(text: str, values, *, columns: int = 64, low=0.0, high=1.0, cmap="RdYlBu_r"):
    """A text in rows of `columns` characters, each on the colour of its value (len(text),).

    Line breaks show as ↵, so that every character has its place.
    """
    values = np.asarray(values)
    rows = -(-len(text) // columns)
    _, ax = plt.subplots(figsize=(0.145 * columns + 0.3, 0.3 * rows + 0.2))
    grid = np.full(rows * columns, np.nan)
    grid[: len(text)] = values
    ax.imshow(
        grid.reshape(rows, columns), aspect="auto", cmap=cmap, vmin=low, vmax=high, alpha=0.75
    )
    for k, character in enumerate(text):
        shown = "↵" if character == "\n" else character
        ax.text(
            k % columns, k // columns, shown, ha="center", va="center", family="monospace", size=9
        )
    ax.set_axis_off()
    return ax


def diagram(nodes: Mapping, arrows: Sequence, *, size=(7.0, 3.0), boxes: Mapping | None = None):
    """A picture of boxes and arrows.

    Args:
        nodes: name -> (x, y, text) or (x, y, text, colour); matplotlib mathematics is welcome.
            A text without a colour stands alone, with one it stands in a box of that colour.
        arrows: (from, to) or (from, to, bend), names of nodes; bend curves the arrow.
        boxes: name -> (x, y, width, height): frames behind everything, with the name on top.
    """
    _, ax = plt.subplots(figsize=size)
    for name, (x, y, width, height) in (boxes or {}).items():
        frame = FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0.1", fc="#f2f5f9", ec="#9aa5b1"
        )
        ax.add_patch(frame)
        ax.text(x + width / 2, y + height, name, ha="center", va="top", size=9, color="#5a6572")
    patches = {}
    for name, (x, y, shown, *colour) in nodes.items():
        box = {"boxstyle": "round,pad=0.35", "fc": "none", "ec": "none"}
        if colour:
            box |= {"fc": colour[0], "ec": "#33404d"}
        patches[name] = ax.text(x, y, shown, ha="center", va="center", bbox=box, zorder=3, size=11)
    ax.margins(0.08)
    ax.update_datalim([node[:2] for node in nodes.values()])
    ax.autoscale_view()
    ax.set_axis_off()
    ax.figure.canvas.draw()  # boxes have their size only once drawn
    for start, end, *bend in arrows:
        arrow = FancyArrowPatch(
            nodes[start][:2],
            nodes[end][:2],
            patchA=patches[start].get_bbox_patch(),
            patchB=patches[end].get_bbox_patch(),
            arrowstyle="-|>",
            mutation_scale=11,
            color="#33404d",
            connectionstyle=f"arc3,rad={bend[0] if bend else 0}",
        )
        ax.add_patch(arrow)
    return ax
