"""How plots look: matplotlib draws in placeholder colours, and what it writes becomes SVG that takes its colours from
the variables of page.css, so that one picture serves light and dark."""

import html
import io
import re
from collections import namedtuple

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib import ticker  # noqa: E402

Series = namedtuple("Series", "label colour marker dashes width")
WIDTH = 360  # of a plot, in pixels of a phone
INK, MUTED, GRID = "#010101", "#020202", "#030303"
COLOURS = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    "#050505": "yoke",
    "#060606": "gcc",
    "#070707": "clang",
    "#080808": "tbb",
    "#090909": "serial",
    "#0a0a0a": "limit",
    "#0b0b0b": "other",
}
COLOUR = {name: colour for colour, name in COLOURS.items()}

SERIES = {
    "yoke": Series("Yoke", "yoke", "o", "-", 2.4),
    "gcc": Series("OpenMP, gcc", "gcc", "s", "-", 1.3),
    "clang": Series("OpenMP, clang", "clang", "^", "-", 1.3),
    "tbb": Series("oneTBB", "tbb", "D", "-", 1.3),
    "serial": Series("serial loop", "serial", "v", "-", 1.0),
    "hand": Series("OpenCL by hand", "other", "P", "-", 1.3),
    "limit": Series("limit, plain stores", "limit", "", "--", 1.3),
    "stream": Series("limit, non-temporal stores", "limit", "", ":", 1.8),
}

plt.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "yoke",
        "font.size": 10.5,
        "font.family": "sans-serif",
        "text.color": INK,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.titlesize": 11.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 10.5,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "lines.markersize": 4.5,
        "figure.dpi": 72,
    }
)


def new(height, width=WIDTH):
    """A figure of so many pixels, and its axes."""
    figure, axes = plt.subplots(figsize=(width / 72, height / 72), layout="constrained")
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.tick_params(which="minor", length=0)
    return figure, axes


def line(axes, x, y, series):
    look = {"color": COLOUR[series.colour], "linestyle": series.dashes, "linewidth": series.width}
    axes.plot(x, y, marker=series.marker or None, **look)


def plain(value, _=None):
    """As people write it: 0.5, 20, 1k, 10M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.4g}"


def size_axis(axis):
    """Numbers of items: a power of ten each."""
    axis.set_major_locator(ticker.LogLocator(base=10, numticks=30))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FuncFormatter(plain))


def log_axis(axis, low, high):
    """As many lines as can be read from low to high."""
    steps = (1, 1.5, 2, 3, 5, 7) if high / low < 8 else (1, 2, 5) if high / low < 300 else (1,)
    axis.set_major_locator(ticker.LogLocator(base=10, subs=steps, numticks=30))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))


def fixed_axis(axis, places):
    axis.set_major_locator(ticker.FixedLocator(places))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FixedFormatter([plain(place) for place in places]))


def themed(svg):
    for colour, name in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg


def shorter(svg):
    """A tenth of a pixel is fine enough."""
    svg = re.sub(r'<style type="text/css">.*?</style>|<metadata>.*?</metadata>|<!--.*?-->', "", svg, flags=re.S)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    svg = re.sub(r"(px) '[^;\"]*", r"\1 sans-serif", svg)
    svg = re.sub(r"\d+\.\d{2,}", lambda found: f"{float(found[0]):.1f}", svg)
    svg = re.sub(r" \n(?=[\w\"])", " ", svg)
    return re.sub(r"\n\s*", "\n", svg)


def without_idle_ids(svg, prefix):
    """Only names that something refers to, and these of this figure alone: a page holds many figures."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "", svg)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", svg)


def finish(figure, name, title, description, kind="plot"):
    """The SVG element, with a title and a description for those who do not see it. kind: its class."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    svg = text.getvalue()
    view = re.search(r'viewBox="[^"]*"', svg)[0]
    svg = svg[svg.index(">", svg.index("<svg")) + 1 :]
    svg = re.sub(r"\n\s*\n", "\n", without_idle_ids(themed(shorter(svg)), name)).strip()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {view} class="{kind}" '
        f'id="{name}" role="img" aria-labelledby="{name}-title {name}-text"><title id="{name}-title">'
        f'{html.escape(title)}</title><desc id="{name}-text">{html.escape(description)}</desc>{svg}'
    )
