# SPDX-License-Identifier: MIT
"""An experiment's plots as SVG to be put into HTML. matplotlib draws them; text stays text."""

import io
import re
import statistics
from math import floor, log10

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, NullFormatter

LINUX = "#e8a33d"
COLOURS = ["#2f6f9f", "#3a9d6e", "#b0507a", "#7a6bb5", "#8c6d31", "#52616b", "#c2543b", "#5fb0c9"]
MARKERS = "osD^vPX*"
STYLE = {
    "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e4e4e4", "axes.axisbelow": True, "legend.frameon": False, "axes.titlesize": 10,
}  # fmt: skip


def short(value, _=None):
    """1500 -> 1.5k"""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def grouped(rows, series, x, y):
    """{series: {x: [y, ...]}}, in the order they come in."""
    found = {}
    for row in rows:
        if isinstance(row.get(y), (int, float)) and x in row:
            found.setdefault(series_name(row, series), {}).setdefault(row[x], []).append(row[y])
    return found


def series_name(row, series):
    """The variables of one row that tell its line from others."""
    names = [str(row[name]) if name == "what" or len(series) == 1 else f"{name}={row[name]}" for name in series if name in row]
    return ", ".join(names) or "all"


def colours(names):
    ours = [name for name in names if not name.startswith("Linux")]
    linux = [name for name in names if name.startswith("Linux")]
    shades = [LINUX, "#a8641a", "#f2cf8f", "#6b4310"]
    return {**{name: COLOURS[n % len(COLOURS)] for n, name in enumerate(ours)}, **{name: shades[n % 4] for n, name in enumerate(linux)}}


def bars(axes, data, plot):
    """A group a category, from top to bottom; the median's length, the least and the most as a whisker."""
    categories = list(dict.fromkeys(x for values in data.values() for x in values))
    height = 0.8 / len(data)
    for n, (name, colour) in enumerate((name, colours(data)[name]) for name in data):
        places = [c + n * height for c, x in enumerate(categories) if x in data[name]]
        values = [data[name][x] for x in categories if x in data[name]]
        middles = [statistics.median(v) for v in values]
        errors = [[m - min(v) for m, v in zip(middles, values)], [max(v) - m for m, v in zip(middles, values)]]
        drawn = axes.barh(places, middles, height * 0.92, color=colour, label=name,
                          xerr=errors if any(map(any, errors)) else None, error_kw={"ecolor": "#444", "lw": 0.8})  # fmt: skip
        axes.bar_label(drawn, [short(m) for m in middles], padding=3, fontsize=7.5, color="#333")
    axes.set_yticks([c + 0.4 - height / 2 for c in range(len(categories))], [str(c) for c in categories])
    axes.set_ylim(len(categories) - height / 2, -height)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(plot.get("ylabel", plot["y"]))
    if "y" in plot.get("log", ""):
        axes.set_xscale("log")
        axes.margins(x=0.12)
        least = min(v for values in data.values() for each in values.values() for v in each)
        axes.set_xlim(left=10 ** floor(log10(least)) if least > 0 else None)
    else:
        axes.margins(x=0.1)
        axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(short))
    axes.xaxis.set_minor_formatter(NullFormatter())


def lines(axes, data, plot):
    """The median with a band from the least to the most."""
    ticks = sorted({x for values in data.values() for x in values})
    for n, name in enumerate(data):
        xs = sorted(data[name])
        colour, values = colours(data)[name], [data[name][x] for x in xs]
        axes.plot(xs, [statistics.median(v) for v in values], color=colour, marker=MARKERS[n % len(MARKERS)], ms=4, lw=1.4, label=name)
        if any(len(v) > 1 for v in values):
            axes.fill_between(xs, [min(v) for v in values], [max(v) for v in values], color=colour, alpha=0.15, lw=0)
    axes.set_xlabel(plot.get("xlabel", plot["x"]))
    scales(axes, plot)
    if len(ticks) <= 12:
        axes.set_xticks(ticks, [f"{t:,}" for t in ticks])


def histogram(axes, data, plot):
    """How often y happened in each bucket of x (its upper bound), as a part of all."""
    for name in data:
        xs = sorted(data[name])
        counts = [sum(data[name][x]) for x in xs]
        whole = sum(counts) or 1
        axes.plot(xs, [c / whole for c in counts], color=colours(data)[name], marker=".", lw=1.2, label=name)
    axes.set_xlabel(plot.get("xlabel", plot["x"]))
    scales(axes, {"log": "xy", **plot})


def scales(axes, plot):
    axes.set_ylabel(plot.get("ylabel", plot["y"]))
    for letter, axis, scale in (("x", axes.xaxis, axes.set_xscale), ("y", axes.yaxis, axes.set_yscale)):
        if letter in plot.get("log", ""):
            scale("log")
            axis.set_minor_formatter(NullFormatter())
        elif letter == "y":
            axes.set_ylim(bottom=0)
        axis.set_major_formatter(FuncFormatter(short))


def size(plot, data):
    if plot["kind"] == "bars":
        count = sum(map(len, data.values()))
        return 8.2, max(1.6, 0.21 * count + 0.25 * len({x for v in data.values() for x in v}) + 0.9)
    return 8.2, 3.6


def draw(plot, rows, number):
    """SVG text; empty when no row has what the plot shows."""
    data = grouped(rows, plot.get("series", ["what"]), plot["x"], plot["y"])
    if not data:
        return ""
    with pyplot.rc_context({**STYLE, "svg.hashsalt": f"plot{number}"}):
        figure, axes = pyplot.subplots(figsize=size(plot, data))
        {"bars": bars, "lines": lines, "histogram": histogram}[plot["kind"]](axes, data, plot)
        axes.set_title(plot["title"], loc="left")
        if len(data) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
        out = io.StringIO()
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    svg = out.getvalue()
    svg = re.sub(r" *<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    svg = re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><").strip()
    return re.sub(r"font: ([\d.]+)px 'DejaVu Sans'", r"font: \1px 'DejaVu Sans', Verdana, sans-serif", svg) + "\n"
