"""The page of a run of ./dev bench: page.py FOLDER PAGE. FOLDER holds what rows.py reads; of what is not there the
page shows nothing. It needs matplotlib, and refers to nothing outside itself."""

import html
import math
import os
import sys

import plots
import ratios
import roofline
import rows
import style
from style import SERIES

PARTS = {
    "bench": "comparison",
    "tasks": "tasks",
    "scaling": "scaling",
    "decisions": "decisions",
    "simulator": "simulator",
}
HEAD = "workload,contestant,items,pause in ms,state,rounds,time,p99,GB/s,GFLOP/s,ratio,quartiles,of the limit".split(
    ","
)
UNITS = ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))


def time_text(seconds):
    if math.isnan(seconds):
        return ""
    unit, name = max((pair for pair in UNITS if pair[0] <= seconds), default=UNITS[0])
    return f"{seconds / unit:.3g} {name}"


def value_text(value, form=".3g"):
    return "" if math.isnan(value) else format(value, form)


def swatch(series):
    """The line and the marker of a series, as matplotlib draws them."""
    dash = {"--": ' stroke-dasharray="6 3"', ":": ' stroke-dasharray="2 3"', "-": ""}.get(
        series.dashes, ' stroke-dasharray="8 3 2 3"'
    )
    mark = {
        "o": '<circle cx="17" cy="7" r="3.5"/>',
        "s": '<rect x="13.5" y="3.5" width="7" height="7"/>',
        "^": '<path d="M13 10.5L17 3L21 10.5z"/>',
        "v": '<path d="M13 3.5L17 11L21 3.5z"/>',
        "D": '<path d="M12.5 7L17 2.5L21.5 7L17 11.5z"/>',
        "d": '<path d="M14 7L17 2L20 7L17 12z"/>',
        "P": '<path d="M12.5 5.5h3v-3h3v3h3v3h-3v3h-3v-3h-3z"/>',
        "|": '<path d="M16 2h2v10h-2z"/>',
        "hollow": '<circle cx="17" cy="7" r="3.5" fill="none" stroke-width="1.5"/>',
    }.get(series.marker, "")
    line = f'<path d="M1 7H33" stroke-width="{series.width}" fill="none"{dash}/>' if series.width else ""
    return (
        f'<svg viewBox="0 0 34 14" aria-hidden="true" style="fill: var(--{series.colour}); '
        f'stroke: var(--{series.colour})">{line}<g stroke-width="0.5">{mark}</g></svg>'
    )


def legend(series):
    items = "".join(f"<li>{swatch(one)}{html.escape(one.label)}</li>" for one in series)
    return f'<ul class="legend">{items}</ul>'


def section(name, title, text, key, drawn, alone=False):
    """Nothing where nothing was drawn."""
    if not drawn:
        return ""
    body = "\n".join(drawn)
    return (
        f'<section id="{name}"><h2>{title}</h2><p>{text}</p>{legend(key) if key else ""}'
        f'<div class="{"alone" if alone else "plots"}">{body}</div></section>'
    )


# --- sections ---


def marker_only(key):
    return [series._replace(width=0) for series in key]


def present(found, names):
    """Of these series those that were measured."""
    curves = plots.series_of(rows.measured(found))
    return [SERIES[name] for name in names if name in curves]


def throughput(results):
    names = ("yoke", "gcc", "clang", "tbb", "serial", "limit", "stream")
    return section(
        "throughput",
        "Throughput against size",
        "The bytes that a call has to move, per second. The limits are loops "
        "by hand on pinned, spinning threads that move as much, measured in the same run, with plain and with "
        "non-temporal stores; of oneTBB's two partitioners the faster is shown. Small arrays lie in the caches.",
        present(results.bench, names),
        plots.throughput(results.bench),
    )


def roofs(results):
    streams, peak = roofline.roofs_of(rows.throughput(results.bench))
    key = [
        style.Series(f"{label}, {value:.3g} GB/s", "limit", "", dashes, 1.3)
        for (label, value), dashes in zip(streams, roofline.ROOFS)
    ]
    if peak:
        key.insert(0, style.Series(f"peak of fused multiply-adds, {peak:.3g} GFLOP/s", "limit", "", "-", 1.3))
    return section(
        "roofline",
        "Roofline",
        "A dot is a workload at its largest size: the rate that Yoke reached, over the operations for each byte that"
        " has to move at least once. Lines are limits measured in the same run. A dot above the bandwidth of memory had"
        " arrays that partly fit the caches. Operations are counted in Yoke's text (21 in an expf, 540 in a pixel of"
        " Mandelbrot, the mean); a copy has none. Additions, divisions and roots cannot fuse, so not every kernel can"
        " reach the peak.",
        key,
        roofline.roofline(results.bench),
        alone=True,
    )


def ratio_sections(results):
    key = present(results.bench, ("gcc", "clang", "tbb"))
    drawn = ratios.by_size(results.bench)
    single, devices = ratios.single_calls(results.bench), ratios.devices(results.bench)
    key += [SERIES["serial"]] * bool(single) + [SERIES["hand"]] * bool(devices)
    note = (
        "The time of the others divided by Yoke's within the same round: median, and a line from quartile to quartile. "
        "Right of 1 Yoke is faster. k and M are thousands and millions of items. Single calls are timed one by one; "
        "of a runtime's ways to wait in a pause, and of oneTBB's two partitioners, the one that does best is shown."
    )
    return section("ratios", "Ratios to peers", note, marker_only(key), drawn + single + devices) + section(
        "tasks",
        "Tasks",
        "The same of pools of tasks; those of Python are one row each.",
        marker_only(ratios.TASKS.values()),
        ratios.tasks(results.tasks),
    )


def scaling(results):
    key = present(results.scaling, ("yoke", "gcc", "clang", "tbb"))
    key.append(style.Series("as fast per core as Yoke on one", "limit", "", ":", 1.3))
    return section(
        "scaling",
        "Scaling",
        "Speed on some of the cores, one thread of each, chosen by the affinity mask that all contestants heed, against"
        " the serial loop.",
        key,
        plots.scaling(results.scaling),
    )


def division(results):
    found = section(
        "decisions",
        "What calls decide by themselves",
        "The time of a call that is free to decide, and of each forced "
        "choice, over that of the best forced choice. The band ends at 1.05; what is slower than 20 times the best "
        "is above the plot.",
        plots.CHOICES.values(),
        plots.decisions(results.decisions),
    )
    marks = [
        style.Series("after learning", "yoke", "o", "-", 0),
        style.Series("the first call", "gcc", "hollow", "-", 0),
        style.Series("the worst call after learning", "other", "|", "-", 0),
    ]
    return found + section(
        "simulator",
        "Division on machines that are not here",
        "Calls are simulated on machines on paper: "
        "workers and devices of many kinds, guesses that are wrong, devices that stall or die. 1 is a division "
        "that ends everywhere at once.",
        marks,
        plots.simulator(results.simulator),
    )


# --- what was measured, and with what ---


def verdict(results):
    counts, behind = ratios.verdict(results.bench)
    if not sum(counts):
        return ""
    words = ("cases in which Yoke is faster than the best peer", "within 5 %", "in which the best peer is faster")
    items = "".join(f"<li><b>{count}</b>{text}</li>" for count, text in zip(counts, words))
    listed = "".join(
        f"<li>{html.escape(ratios.label_of(row))}: {row.ratio:.2f} ({row.low:.2f} to {row.high:.2f}) to "
        f"{SERIES[plots.PEERS[row.contestant]].label}</li>"
        for row in behind
    )
    return f'<ul class="verdict">{items}</ul>' + (
        "<details><summary>Where a peer is faster: theirs / Yoke's time, with"
        f" quartiles</summary><ul>{listed}</ul></details>"
        if behind
        else ""
    )


def header(results):
    facts, machine = next(iter(results.about.values()), ({}, ""))
    listed = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in facts.items()
    )
    others = "".join(
        f"<li>{PARTS[part]}: {html.escape(about.get('date', '?'))}, commit {html.escape(about.get('commit', '?'))}</li>"
        for part, (about, _) in results.about.items()
    )
    return (
        f'<header><h1>Yoke measured on {html.escape(facts.get("CPU", "a machine that is not named"))}</h1>'
        f"<dl>{listed}</dl>"
        + (f"<details><summary>What each part was measured with</summary><ul>{others}</ul></details>" if others else "")
        + (
            '<details><summary>The machine, as <code>yoke info</code> sees it</summary><div class="scroller"'
            f' tabindex="0" role="region" aria-label="yoke info"><pre>{html.escape(machine)}</pre></div></details>'
            if machine
            else ""
        )
        + "</header>"
    )


def table(name, head, body):
    """In a scroller of its own: it is wider than a phone. Columns of words begin at the left."""
    words = [any(line[column][:1].isalpha() for line in body) for column in range(len(head))]
    marks = [' class="text"' if word else "" for word in words]
    names = "".join(f'<th scope="col"{mark}>{html.escape(cell)}</th>' for cell, mark in zip(head, marks))
    cells = "\n".join(
        "<tr>" + "".join(f"<td{mark}>{html.escape(cell)}</td>" for cell, mark in zip(line, marks)) + "</tr>"
        for line in body
    )
    return (
        f'<details><summary>{name}: {len(body)} rows</summary><div class="scroller" tabindex="0" role="region" '
        f'aria-label="{name}"><table><thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table></div></details>'
    )


def cells_of(row):
    quartiles = f"{row.low:.3g} to {row.high:.3g}" if row.low > 0 else ""
    rate, work = (
        f"{total / row.seconds * 1e-9:.3g}" if total > 0 and row.seconds > 0 else "" for total in (row.bytes, row.flops)
    )
    return ([str(row.cores)] if row.cores else []) + [
        row.workload,
        row.contestant,
        f"{row.n:,}",
        f"{float(row.gap) / 1000:g}" if row.gap else "",
        row.state,
        str(row.rounds),
        time_text(row.seconds),
        time_text(row.p99),
        rate,
        work,
        value_text(row.ratio),
        quartiles,
        value_text(row.limit),
    ]


def tables(results):
    found = ""
    for part in ("bench", "tasks", "scaling"):
        body = [cells_of(row) for row in getattr(results, part)]
        if body:
            found += table(PARTS[part].capitalize(), ["cores"] * (part == "scaling") + HEAD, body)
    if results.decisions:
        names = list(results.decisions[0].forced)
        found += table(
            "Decisions",
            ["workload", "items", "by itself"] + names,
            [
                [choice.workload, f"{choice.n:,}", time_text(choice.itself)]
                + [time_text(choice.forced[name]) for name in names]
                for choice in results.decisions
            ],
        )
    if results.simulator:
        found += table(
            "Simulator",
            ["scenario", "first call", "after learning", "worst", "later", "times the best single", "divided"],
            [[one.name] + [f"{value:.3f}" for value in one[1:6]] + [f"{one.divided:.0%}"] for one in results.simulator],
        )
    return f'<section id="tables"><h2>All numbers</h2>{found}</section>' if found else ""


def page_of(results):
    sections = [
        throughput(results),
        roofs(results),
        ratio_sections(results),
        scaling(results),
        division(results),
        tables(results),
    ]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.css"), encoding="utf-8") as file:
        css = file.read()
    title = "Yoke measured on " + next(iter(results.about.values()), ({}, ""))[0].get("CPU", "a machine")
    nothing = "" if any(sections) else "<p>Nothing was measured.</p>"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"/><style>{css}</style></head>\n<body>'
        f"{header(results)}<main>{verdict(results)}{nothing}\n"
        + "\n".join(sections)
        + "</main></body></html>\n"
    )


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: page.py FOLDER PAGE")
    page = page_of(rows.read(sys.argv[1]))
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    main()
