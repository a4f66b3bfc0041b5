"""Yoke's kernels under the measured limits of the machine: rates over operations per byte."""

import math

import rows
import style
from plots import name_of, rate
from style import COLOUR

ROOFS = ("--", (0, (6, 2, 1, 2)), ":")  # how bandwidths are drawn; the peak is solid
# Where a name may stand beside its dot, the best first.
SPOTS = ((7, 0), (7, -9), (7, 9), (-7, 9), (-7, -9), (-7, 0), (7, -19), (-7, -19), (7, 19), (7, -30), (-7, 22))


def fastest(found, contestant, workloads, value, most=math.inf):
    """Of the rows up to so many items; None where there is none."""
    fitting = [row for row in found if row.contestant == contestant and row.workload in workloads and row.n <= most]
    return max(map(value, fitting), default=None)


def operations(row):
    return row.flops / row.seconds * 1e-9


def kernels_of(found):
    """Of each workload that computes, Yoke's row at the largest size: (name, flop/byte, GFLOP/s)."""
    largest = {}
    for row in found:
        if row.contestant == "yoke" and row.flops > 0 and row.bytes > 0:
            if row.workload not in largest or row.n > largest[row.workload].n:
                largest[row.workload] = row
    return [(name_of(row.workload), row.flops / row.bytes, operations(row)) for row in largest.values()]


def roofs_of(found):
    """Names and bandwidths in GB/s, of those that were measured, and the peak in GFLOP/s or None."""
    most = max((row.n for row in found if row.workload == "read"), default=1e8)
    streams = [
        ("read", fastest(found, "limit_plain", ("read",), rate)),
        ("write, non-temporal", fastest(found, "limit_nt", ("write",), rate)),
        ("caches", fastest(found, "limit_plain", ("copy", "triad", "sum", "dot"), rate, most / 100)),
    ]
    return [(name, value) for name, value in streams if value], fastest(found, "limit_plain", ("fma",), operations)


def place_label(axes, name, point, is_free):
    """Beside its dot: at the first spot that is free, or else at the first."""
    for spot in SPOTS + SPOTS[:1]:
        side = "left" if spot[0] > 0 else "right"
        text = axes.annotate(name, point, spot, textcoords="offset points", va="center", ha=side, fontsize=10)
        box = text.get_window_extent().padded(1)
        if is_free(box):
            return box
        text.remove()
    return axes.annotate(name, point, SPOTS[0], textcoords="offset points", va="center").get_window_extent()


def place_labels(figure, axes, points):
    """Names beside their dots, where they cover neither another name nor a dot."""
    figure.draw_without_rendering()
    dots = [axes.transData.transform((x, y)) for _, x, y in points]
    frame, taken = axes.bbox, []

    def is_free(box):
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0
        return inside and not any(map(box.overlaps, taken)) and not any(box.contains(*dot) for dot in dots)

    for name, x, y in sorted(points, key=lambda point: point[2]):
        taken.append(place_label(axes, name, (x, y), is_free))


def draw_roofs(axes, streams, peak, low, high, top):
    look = {"color": COLOUR["limit"], "linewidth": 1.3}
    for (_, bandwidth), dashes in zip(streams, ROOFS):
        axes.plot([low, top / bandwidth], [low * bandwidth, top], linestyle=dashes, **look)
    if peak:
        axes.plot([peak / max((value for _, value in streams), default=peak / low), high], [peak, peak], **look)


def figure_of(found, name, width, height, kind):
    points, (streams, peak) = kernels_of(found), roofs_of(found)
    figure, axes = style.new(height, width)
    low, high = 0.1, max([100] + [3 * x for _, x, _ in points])
    top = peak or max(y for _, _, y in points)
    bottom = min([y for _, _, y in points] + [low * value for _, value in streams])
    draw_roofs(axes, streams, peak, low, high, top)
    axes.plot([x for _, x, _ in points], [y for _, _, y in points], "o", color=COLOUR["yoke"], markersize=6)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(bottom / 1.5, top * 1.8))
    axes.set(xlabel="flop per byte that has to move", ylabel="GFLOP/s", title="Kernels and the limits of the machine")
    style.log_axis(axes.xaxis, low, high)
    style.log_axis(axes.yaxis, *axes.get_ylim())
    place_labels(figure, axes, points)
    said = [f"{label} {value:.3g} GB/s" for label, value in streams]
    if peak:
        said.append(f"FMA peak {peak:.0f} GFLOP/s")
    dots = [f"{label} {x:.3g} flop/byte, {y:.3g} GFLOP/s" for label, x, y in points]
    text = f"Roofs: {', '.join(said) or 'not measured'}. Kernels: {'; '.join(dots)}."
    return style.finish(figure, name, "Roofline", text, kind)


def roofline(found):
    """For wide pages and for narrow ones; page.css shows one of them."""
    found = rows.throughput(found)
    if not kernels_of(found):
        return []
    return [
        figure_of(found, "roofline-wide", 720, 430, "plot wide"),
        figure_of(found, "roofline-narrow", style.WIDTH, 400, "plot narrow"),
    ]
