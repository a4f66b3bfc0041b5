"""How many times as long as Yoke the others take: a dot for the median of the paired ratios, a line for quartiles."""

import math
from collections import namedtuple

import rows
import style
from plots import LEVELS, PEERS, name_of
from style import COLOUR, SERIES

Case = namedtuple("Case", "label marks")  # marks: (series, row)
TASKS = {
    "tasks_tbb": SERIES["tbb"],
    "tbb_enqueue": style.Series("oneTBB, another thread", "tbb", "d", "-", 1.3),
    "tasks_omp_gcc": SERIES["gcc"],
    "tasks_omp_clang": SERIES["clang"],
    "starpu": style.Series("StarPU", "other", "P", "-", 1.3),
}
POOLS = ("ThreadPool", "ThreadPoolExecutor", "Pool", "ProcessPoolExecutor", "loky")


def gap_text(gap):
    if gap == "":
        return ""
    return ", hot" if gap == "0" else f", after {float(gap) / 1000:g} ms"


def label_of(row):
    return f"{name_of(row.workload)} {style.plain(row.n)}{gap_text(row.gap)}"


def peers_of(case, more=()):
    """A mark for each peer; of those that share a series, the one that does better."""
    marks = {}
    for row in case:
        name = PEERS.get(row.contestant) or (row.contestant if row.contestant in more else None)
        if name and row.ratio > 0 and (name not in marks or row.ratio < marks[name].ratio):
            marks[name] = row
    return [(SERIES[name], marks[name]) for name in SERIES if name in marks]


def scale(axes, values):
    low, high = min(values + [0.8]), max(values + [1.25])
    axes.set(xscale="log", xlim=(low / 1.15, high * 1.15))
    style.log_axis(axes.xaxis, low, high)


def words(cases):
    return "; ".join(
        f"{case.label}: "
        + ", ".join(f"{series.label} {row.ratio:.2f} ({row.low:.2f} to {row.high:.2f})" for series, row in case.marks)
        for case in cases
    )


def plot_of(name, title, cases):
    most = max(len(case.marks) for case in cases)
    step = 8 * most + 12
    figure, axes = style.new(72 + step * len(cases))
    axes.axvline(1, color=COLOUR["ink"], linewidth=1)
    values = []
    for place, case in enumerate(cases):
        for number, (series, row) in enumerate(case.marks):
            y = place * step + (number - (len(case.marks) - 1) / 2) * 8
            low, high = (row.low, row.high) if row.low > 0 else (row.ratio, row.ratio)
            axes.plot([low, high], [y, y], color=COLOUR[series.colour], linewidth=1.8, solid_capstyle="butt")
            axes.plot([row.ratio], [y], color=COLOUR[series.colour], marker=series.marker)
            values += [low, high, row.ratio]
        if place:
            axes.axhline((place - 0.5) * step, color=COLOUR["grid"], linewidth=0.8)
    scale(axes, values)
    axes.set_ylim((len(cases) - 0.5) * step, -0.5 * step)
    axes.set_yticks([place * step for place in range(len(cases))], [case.label for case in cases])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set(title=title, xlabel="theirs / Yoke's time")
    return style.finish(
        figure,
        name,
        f"{title}: ratios to peers",
        f"Median of the paired ratios and, in brackets, quartiles; above 1 Yoke is faster. {words(cases)}.",
    )


def panel(name, title, cases):
    cases = [case for case in cases if case.marks]
    return [plot_of(name, title, cases)] if cases else []


def by_size(found):
    """Workloads at several sizes, each a panel; and one for the others."""
    groups, plots, single = {}, [], []
    for case in rows.cases_of(rows.throughput(found)):
        if not case[0].workload.startswith("opencl"):
            groups.setdefault(case[0].workload, []).append(case)
    for workload, cases in groups.items():
        if len(cases) < LEVELS:
            single += [Case(label_of(case[0]) if cases[1:] else name_of(workload), peers_of(case)) for case in cases]
        else:
            plots += panel(
                f"ratios-{workload}",
                name_of(workload),
                [Case(style.plain(case[0].n), peers_of(case)) for case in cases],
            )
    return plots + panel("ratios-kernels", "Kernels at one size", single)


def single_calls(found):
    cases = rows.cases_of(
        row for row in rows.measured(found) if row.gap != "" and not row.workload.startswith("opencl")
    )
    hot = [case for case in cases if case[0].gap == "0"]
    waited = [case for case in cases if case[0].gap != "0"]
    plots = []
    for name, title, group in (
        ("ratios-paused", "Single calls after a pause", waited),
        ("ratios-hot", "Single calls, hot", hot),
    ):
        plots += panel(
            name, title, [Case(label_of(case[0]).removesuffix(", hot"), peers_of(case, ("serial",))) for case in group]
        )
    return plots


def devices(found):
    cases = rows.cases_of(row for row in rows.measured(found) if row.contestant == "opencl_by_hand" and row.ratio > 0)
    return panel(
        "ratios-opencl",
        "OpenCL device",
        [Case(label_of(case[0]), [(SERIES["hand"], row) for row in case]) for case in cases],
    )


def tasks(found):
    plots = []
    runtimes = rows.cases_of(row for row in rows.measured(found) if row.contestant in TASKS)
    plots += panel(
        "ratios-tasks",
        "Tasks",
        [Case(label_of(case[0]), [(TASKS[row.contestant], row) for row in case if row.ratio > 0]) for case in runtimes],
    )
    pools = [row for row in rows.measured(found) if row.contestant in POOLS and row.ratio > 0]
    return plots + panel(
        "ratios-pools",
        "Pools of Python",
        [Case(f"{label_of(row)}: {row.contestant}", [(SERIES["clang"], row)]) for row in pools],
    )


def verdict(found):
    """Of each case against the peer that does best: counts (ahead, even, behind), and those where Yoke is behind."""
    counts, behind = [0, 0, 0], []
    for case in rows.cases_of(rows.measured(found)):
        ratios = [row for row in case if row.contestant in PEERS and not math.isnan(row.ratio)]
        if not ratios:
            continue
        worst = min(ratios, key=lambda row: row.ratio)
        counts[0 if worst.ratio > 1.05 else 1 if worst.ratio >= 0.95 else 2] += 1
        if worst.ratio < 0.95:
            behind.append(worst)
    return counts, sorted(behind, key=lambda row: row.ratio)
