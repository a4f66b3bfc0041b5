"""Throughput, scaling and division: each function takes rows and returns a list of plots; an empty one where there is
nothing to show."""

import rows
import style
from style import COLOUR, SERIES

PEERS = {
    "omp_gcc": "gcc",
    "omp_gcc_default": "gcc",
    "omp_gcc_passive": "gcc",
    "omp_clang": "clang",
    "omp_clang_default": "clang",
    "tbb_static": "tbb",
    "tbb_affinity": "tbb",
}
NAMES = {
    "black_scholes": "Black-Scholes",
    "empty": "empty map",
    "exp": "expf",
    "fib": "Fibonacci",
    "fib_cut": "Fibonacci, cut",
    "heat": "five-point stencil",
    "mandelbrot_1000": "Mandelbrot, 1000",
    "mandelbrot_256": "Mandelbrot, 256",
    "nbody": "n-body",
    "options": "Black-Scholes",
    "sin": "sinf",
    "tasks_empty": "empty tasks",
    "tasks_one": "one task",
    "tasks_1us": "tasks of 1 µs,",
    "tasks_10us": "tasks of 10 µs,",
    "tasks_100us": "tasks of 100 µs,",
}
CURVES = {"yoke": "yoke", "serial": "serial", "limit_plain": "limit", "limit_nt": "stream", **PEERS}
LEVELS = 3  # sizes from which on a workload has a curve


def name_of(workload):
    short = workload.removeprefix("opencl_").removeprefix("tasks_")
    return NAMES.get(workload) or NAMES.get(short) or short.replace("_", " ")


def series_of(found):
    """The rows of each series by size; of those that share one, the faster."""
    curves = {}
    for row in found:
        name = CURVES.get(row.contestant)
        if name:
            curve = curves.setdefault(name, {})
            if row.n not in curve or row.seconds < curve[row.n].seconds:
                curve[row.n] = row
    return curves


def curve_text(curves, value, unit):
    """What a curve says, in words: its ends."""
    parts = []
    for name in [name for name in SERIES if name in curves]:
        sizes = sorted(curves[name])
        parts.append(
            f"{SERIES[name].label}: "
            + ", ".join(f"{value(curves[name][n]):.3g} {unit} at {style.plain(n)}" for n in (sizes[0], sizes[-1]))
        )
    return "; ".join(parts) + "."


def rate(row):
    return row.bytes / row.seconds * 1e-9


def throughput_of(workload, found):
    curves = series_of(row for row in found if row.n >= 100)
    figure, axes = style.new(280)
    for name in [name for name in reversed(SERIES) if name in curves]:
        sizes = sorted(curves[name])
        style.line(axes, sizes, [rate(curves[name][n]) for n in sizes], SERIES[name])
    axes.set(xscale="log", yscale="log", title=name_of(workload), xlabel="items", ylabel="GB/s")
    style.size_axis(axes.xaxis)
    style.log_axis(axes.yaxis, *axes.get_ylim())
    return style.finish(
        figure,
        f"throughput-{workload}",
        f"{name_of(workload)}: throughput against size",
        "Bytes that a call must move, per second, against the number of items; both axes logarithmic. "
        + curve_text(curves, rate, "GB/s"),
    )


def throughput(found):
    """The workloads at several sizes."""
    by_workload = {}
    for row in rows.throughput(found):
        if row.bytes > 0 and not row.workload.startswith("opencl"):
            by_workload.setdefault(row.workload, []).append(row)
    return [
        throughput_of(workload, group)
        for workload, group in by_workload.items()
        if len({row.n for row in group if row.contestant == "yoke"}) >= LEVELS
    ]


# --- scaling ---


def scaling_of(workload, n, found):
    serial = {row.cores: row.seconds for row in found if row.contestant == "serial"}
    curves = {}
    for row in found:
        name = "yoke" if row.contestant == "yoke" else PEERS.get(row.contestant)
        if name and row.cores in serial:
            curve = curves.setdefault(name, {})
            curve[row.cores] = max(curve.get(row.cores, 0), serial[row.cores] / row.seconds)
    counts = sorted(serial)
    figure, axes = style.new(280)
    if "yoke" in curves:
        first = min(curves["yoke"])
        axes.plot(
            counts,
            [curves["yoke"][first] * count / first for count in counts],
            color=COLOUR["limit"],
            linestyle=":",
            linewidth=1.3,
        )
    for name in [name for name in reversed(SERIES) if name in curves]:
        places = sorted(curves[name])
        style.line(axes, places, [curves[name][count] for count in places], SERIES[name])
    axes.set(xscale="log", yscale="log", xlim=(min(counts) / 1.15, max(counts) * 1.15))
    axes.set(title=f"{name_of(workload)}, {style.plain(n)} items", xlabel="cores", ylabel="times the serial loop")
    style.fixed_axis(axes.xaxis, counts)
    style.log_axis(axes.yaxis, *axes.get_ylim())
    said = [
        f"{SERIES[name].label}: "
        + ", ".join(f"{speed:.3g} on {count}" for count, speed in sorted(curves[name].items()))
        for name in SERIES
        if name in curves
    ]
    return style.finish(
        figure,
        f"scaling-{workload}",
        f"{name_of(workload)}: speed with the number of cores",
        "Times the speed of the serial loop, on so many cores. " + "; ".join(said) + ".",
    )


def scaling(found):
    groups = {}
    for row in rows.throughput(found):
        groups.setdefault((row.workload, row.n), []).append(row)
    return [
        scaling_of(workload, n, group)
        for (workload, n), group in groups.items()
        if len({row.cores for row in group}) > 1 and any(row.contestant == "serial" for row in group)
    ]


# --- division ---

CHOICES = {
    "itself": style.Series("by itself", "yoke", "o", "-", 2.4),
    "caller": style.Series("the caller alone", "serial", "v", "-", 1.2),
    "workers": style.Series("the workers", "gcc", "s", "-", 1.2),
    "device": style.Series("the device", "clang", "^", "-", 1.2),
    "together": style.Series("all together", "tbb", "D", "-", 1.2),
}


def decisions_of(workload, found):
    figure, axes = style.new(280)
    best = {choice.n: min(choice.forced.values()) for choice in found}
    curves = {name: [choice.forced[name] / best[choice.n] for choice in found] for name in found[0].forced}
    curves["itself"] = [choice.itself / best[choice.n] for choice in found]
    axes.axhspan(1, 1.05, color=COLOUR["limit"], alpha=0.35, linewidth=0)
    for name in [name for name in reversed(CHOICES) if name in curves]:
        style.line(axes, [choice.n for choice in found], curves[name], CHOICES[name])
    axes.set(xscale="log", yscale="log", ylim=(0.2, 20))
    axes.set(title=name_of(workload), xlabel="items", ylabel="time / best forced choice")
    style.size_axis(axes.xaxis)
    style.fixed_axis(axes.yaxis, [0.2, 0.5, 1, 2, 5, 10, 20])
    said = ", ".join(f"{ratio:.2f} at {style.plain(choice.n)}" for choice, ratio in zip(found, curves["itself"]))
    return style.finish(
        figure,
        f"decisions-{workload}",
        f"{name_of(workload)}: calls that decide by themselves",
        f"Time relative to the best forced choice, against the number of items. By itself: {said}.",
    )


def decisions(found):
    groups = {}
    for choice in found:
        groups.setdefault(choice.workload, []).append(choice)
    return [decisions_of(workload, group) for workload, group in groups.items()]


def simulator_of(found, name, part):
    figure, axes = style.new(80 + 16 * len(found))
    for place, scenario in enumerate(found):
        values = [scenario.cold, scenario.learned, scenario.worst]
        axes.plot([min(values), max(values)], [place, place], color=style.GRID, linewidth=3, solid_capstyle="round")
    places = range(len(found))
    axes.plot([scenario.cold for scenario in found], places, "o", color=COLOUR["gcc"], markerfacecolor="none")
    axes.plot(
        [scenario.worst for scenario in found], places, "|", color=COLOUR["other"], markersize=8, markeredgewidth=1.6
    )
    axes.plot([scenario.learned for scenario in found], places, "o", color=COLOUR["yoke"], markersize=5)
    low = min([0.3] + [scenario.cold - 0.02 for scenario in found])
    axes.set(xlim=(low, 1.015), ylim=(-0.7, len(found) - 0.3), xlabel="ideal time / simulated time", title=part)
    axes.set_yticks(list(places), [scenario.name for scenario in found])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    said = "; ".join(
        f"{scenario.name} {scenario.learned:.2f} (cold {scenario.cold:.2f}, worst {scenario.worst:.2f})"
        for scenario in reversed(found)
    )
    return style.finish(
        figure,
        name,
        f"Efficiency of division on machines on paper: {part}",
        f"Ideal time by simulated time, after learning: {said}.",
    )


def simulator(found):
    """The better half, and the worse one first."""
    found = sorted(found, key=lambda scenario: -scenario.learned)
    half = len(found) // 2
    halves = [
        ("simulator-worse", found[half:], "The less efficient half"),
        ("simulator-better", found[:half], "The more efficient half"),
    ]
    return [simulator_of(group, name, part) for name, group, part in halves if group]
