"""The page of the rows in sample/ is well formed, whole, and refers to nothing outside itself; pages of less rows are
made too. usage: check.py WORK"""

import importlib.util
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

if importlib.util.find_spec("matplotlib") is None:
    print("skipped: matplotlib is not here (python3-matplotlib)")
    sys.exit(77)

import page  # noqa: E402
import rows  # noqa: E402

SAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sample")
PLOTS = {
    "throughput-triad",
    "throughput-exp",
    "roofline-wide",
    "roofline-narrow",
    "ratios-triad",
    "ratios-exp",
    "ratios-kernels",
    "ratios-paused",
    "ratios-hot",
    "ratios-opencl",
    "ratios-tasks",
    "ratios-pools",
    "scaling-nbody",
    "decisions-dot",
    "simulator-worse",
    "simulator-better",
}
TWINS = (  # each a mistake that must be found
    ("<main>", '<main><img src="https://example.org/a.png"/>'),
    ('id="roofline-wide"', 'id="roofless"'),
    ('aria-labelledby="', 'aria-labelledby="no-'),
    ("var(--yoke)", "var(--ox)"),
    ("var(--yoke)", "#050505"),
    ('href="#', 'href="#gone-'),
)
SVG = "{http://www.w3.org/2000/svg}"
NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink")
REFERENCES = ("href", "src", "srcset", "action", "data", "poster")


def wrong_references(root, text):
    """What leaves the page, or leads to no part of it."""
    names = [element.get("id") for element in root.iter() if element.get("id")]
    found = [f"two elements are called {name}" for name in set(names) if names.count(name) > 1]
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute.split("}")[-1] in REFERENCES and value[1:] not in names:
                found.append(f"{attribute} leads to {value}")
    found += [f"url({place}) is not here" for place in re.findall(r"url\(([^)]*)\)", text) if place[1:] not in names]
    for name in NAMESPACES:
        text = text.replace(f'"{name}"', "")
    return found + re.findall(r"(?:[a-z]+:)?//[\w.]+|@import|<script|<link", text)


def wrong_colours(text):
    """Placeholders that are left, and variables without a value; those of light and dark are the same."""
    light, dark = (
        set(re.findall(r"(--[a-z]+):", block)) for block in re.findall(r":root {(.*?)}", text, flags=re.S)[:2]
    )
    return (
        re.findall(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", text)
        + sorted(set(re.findall(r"var\((--\w+)\)", text)) - light)
        + sorted((light ^ dark) - {"--fact"})
    )


def wrong_plots(root, expected):
    found = []
    plots = {element.get("id"): element for element in root.iter(SVG + "svg") if element.get("role") == "img"}
    found += [f"no plot {name}" for name in expected - set(plots)]
    found += [f"a plot {name} too many" for name in set(plots) - expected]
    for name, plot in plots.items():
        labels = [plot.find(SVG + "title"), plot.find(SVG + "desc")]
        if any(label is None or not label.text for label in labels):
            found.append(f"{name} has no title or description")
        elif plot.get("aria-labelledby").split() != [label.get("id") for label in labels]:
            found.append(f"{name} is not labelled by its title and description")
        if re.search(r'[" ]nan[" ]', ElementTree.tostring(plot, encoding="unicode")):
            found.append(f"{name} draws what is no number")
    return found


def wrong(text, expected):
    root = ElementTree.fromstring(text)
    return wrong_references(root, text) + wrong_colours(text) + wrong_plots(root, expected)


def only(**parts):
    nothing = rows.Results([], [], [], [], [], {})
    return page.page_of(nothing._replace(**parts))


def check_all(work):
    results = rows.read(SAMPLE)
    whole = page.page_of(results)
    with open(os.path.join(work, "page.html"), "w", encoding="utf-8") as file:
        file.write(whole)
    found = wrong(whole, PLOTS)
    for text in ("AMD EPYC", "FAILED", "Where a peer is faster", "yoke info", "1,000,000"):
        if text not in whole:
            found.append(f"the page does not say {text}")
    serial = [row for row in results.bench if row.contestant == "serial"]
    alone = [row for row in results.bench if row.contestant == "yoke" and row.workload == "nbody"]
    for name, parts, expected in (
        ("nothing", {}, set()),
        ("serial rows", {"bench": serial}, {"ratios-paused", "ratios-hot"}),
        ("one row", {"bench": alone}, {"roofline-wide", "roofline-narrow"}),
    ):
        found += [f"page of {name}: {text}" for text in wrong(only(**parts), expected)]
    for old, new in TWINS:
        if not wrong(whole.replace(old, new, 1), PLOTS):
            found.append(f"a page with {new} was not complained of")
    return found


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    problems = check_all(sys.argv[1])
    print("\n".join(problems) or f"{len(PLOTS)} plots")
    sys.exit(1 if problems else 0)
