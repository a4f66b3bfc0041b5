"""Reads what tests/bench/run leaves in a folder: bench.csv, tasks.csv, scaling.csv, decisions.txt, simulator.txt, each
with an .about. What is not there is empty."""

import csv
import math
import os
from collections import namedtuple

# seconds: of a call, the median; ratio: theirs / Yoke's, with quartiles; gap: us of idleness before a call, "": none.
Row = namedtuple("Row", "workload n gap contestant state rounds seconds p99 ratio low high limit bytes flops cores")
Choice = namedtuple("Choice", "workload n itself forced")  # seconds; forced: by the name of the choice
Scenario = namedtuple("Scenario", "name cold learned worst later single divided")
Results = namedtuple("Results", "bench tasks scaling decisions simulator about")
TABLES = {"bench": "bench.csv", "tasks": "tasks.csv", "scaling": "scaling.csv"}
YOKES = ("yoke", "tasks_yoke", "yoke_processes", "yoke_opencl")  # those that ratios are against


def number(text):
    return float(text) if text else math.nan


def row_of(fields):
    def value(name):
        return number(fields.get(name, ""))

    return Row(
        fields["workload"],
        int(fields["n"]),
        fields["gap_us"],
        fields["contestant"],
        fields["state"],
        int(fields["rounds"]),
        value("seconds"),
        value("p99_seconds"),
        value("ratio_to_yoke"),
        value("ratio_low"),
        value("ratio_high"),
        value("limit_fraction"),
        value("call_bytes"),
        value("call_flops"),
        int(fields.get("cores") or 0),
    )


def lines_of(folder, name):
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def decisions_of(lines):
    names = lines[0].split("(")[0].split()[2:-2] if lines else []
    rows = []
    for line in lines[1:]:
        fields = line.split()
        if len(fields) < len(names) + 4 or not fields[1].isdigit():
            continue
        seconds = [1e-6 * float(field) for field in fields[2 : 2 + len(names)]]
        rows.append(Choice(fields[0], int(fields[1]), seconds[0], dict(zip(names[1:], seconds[1:]))))
    return rows


def scenarios_of(lines):
    rows = []
    for line in lines[1:]:
        values = line[30:].split()
        if len(values) == 6 and not line.startswith("mean"):
            rows.append(Scenario(line[:30].strip(), *map(float, values[:5]), float(values[5].rstrip("%")) / 100))
    return rows


def about_of(lines):
    """The facts, and the text below them."""
    end = lines.index("") if "" in lines else len(lines)
    facts = dict(line.split("\t", 1) for line in lines[:end] if "\t" in line)
    return facts, "\n".join(lines[end + 1 :])


def read(folder):
    tables = {
        part: [row_of(fields) for fields in csv.DictReader(lines_of(folder, name))] for part, name in TABLES.items()
    }
    decisions = decisions_of(lines_of(folder, "decisions.txt"))
    simulator = scenarios_of(lines_of(folder, "simulator.txt"))
    found = dict(tables, decisions=decisions, simulator=simulator)
    about = {part: about_of(lines_of(folder, part + ".about")) for part, rows in found.items() if rows}
    return Results(**tables, decisions=decisions, simulator=simulator, about=about)


def measured(rows):
    return [row for row in rows if row.state == "measured"]


def throughput(rows):
    """Calls one after another, without gaps."""
    return [row for row in measured(rows) if row.gap == ""]


def cases_of(rows):
    """Lists of the rows that were measured together: by workload, size and gap, in their order."""
    cases = {}
    for row in rows:
        cases.setdefault((row.workload, row.n, row.gap, row.cores), []).append(row)
    return list(cases.values())
