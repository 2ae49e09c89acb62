# SPDX-License-Identifier: MIT
"""An experiment's file (experiments/NAME.toml) and the points it asks for: each kernel with each machine, with each
combination of knob values (Faultline only) and of the program's swept arguments.
"""

import itertools
import os
import re
import tomllib
from dataclasses import dataclass, field

import knobs
from vm import LINUX_ICOUNT_MAX_CPUS

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(TOP, "experiments")
FORMATS = ("cases", "fields", "csv")
PLOTS = ("bars", "lines", "histogram")


class ExperimentError(Exception):
    """Says what is wrong with the file, for who wrote it."""


@dataclass(frozen=True)
class Point:
    """One machine and one program. knobs and sweep are pairs (name, value)."""

    kernel: str
    smp: int
    mem: str
    knobs: tuple = ()
    sweep: tuple = ()
    fixed: tuple = ()  # names of knobs that have one value in all points

    def what(self):
        """The choice that is compared, in a few words."""
        if self.kernel == "linux":
            return "Linux"
        return ", ".join(f"{name}={value}" for name, value in self.knobs if name not in self.fixed) or "Faultline"

    def values(self):
        """{variable: value}, as tables and plots name them."""
        return {"what": self.what(), "kernel": self.kernel, "smp": self.smp, "mem": self.mem, **dict(self.knobs), **dict(self.sweep)}

    def __str__(self):
        rest = [f"{name}={value}" for name, value in self.sweep]
        return ", ".join([self.what(), *rest, f"{self.smp} CPU{'s' * (self.smp > 1)}", self.mem])


@dataclass
class Experiment:
    name: str
    title: str
    about: str  # paragraphs for the report
    program: str  # of the build directory, or a name on PATH
    args: list
    text: str  # the file
    files: list = field(default_factory=list)  # "HOST:GUEST", HOST of the build directory
    kernels: list = field(default_factory=lambda: ["faultline", "linux"])
    smp: list = field(default_factory=lambda: [1])
    mem: list = field(default_factory=lambda: ["1G"])
    disk: list = field(default_factory=list)  # as ./run --disk
    swap: str = ""
    icount: bool = False  # count instructions: exact
    repeats: int = 1
    timeout: int = 600  # seconds, each run
    format: str = "cases"  # how the program prints: see experiment_run.parse()
    knobs: dict = field(default_factory=dict)
    sweep: dict = field(default_factory=dict)
    skip: list = field(default_factory=list)  # [{variable: value, ...}]: points that have all of one
    table: list = field(default_factory=list)
    plot: list = field(default_factory=list)

    def points(self):
        found = []
        fixed = tuple(name for name, values in self.knobs.items() if len(values) == 1)
        for kernel in self.kernels:
            settings = combinations(self.knobs) if kernel == "faultline" else [()]
            found += [Point(kernel, *rest, fixed) for rest in itertools.product(self.smp, self.mem, settings, combinations(self.sweep))]
        return [p for p in found if not any(self._matches(p, rule) for rule in self.skip)]

    @staticmethod
    def _matches(point, rule):
        values = point.values()
        return all(values.get(name) == value for name, value in rule.items())

    def arguments(self, point):
        """args with {NAME} replaced by the swept values."""
        words = [str(word) for word in self.args]
        for name, value in point.sweep:
            words = [word.replace("{%s}" % name, str(value)) for word in words]
        return words


def combinations(axes):
    """{name: values} -> every tuple of pairs (name, value)."""
    return list(itertools.product(*([(name, value) for value in values] for name, values in axes.items())))


def check_knobs(settings):
    for name, values in settings.items():
        for value in values:
            wrong = knobs.problem(name, value)
            if wrong:
                raise ExperimentError(wrong)


# ---- the file ----


def as_list(value):
    return value if isinstance(value, list) else [value]


def demand(condition, text):
    if not condition:
        raise ExperimentError(text)


def parse(text, name):
    """Experiment; raises ExperimentError."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ExperimentError(str(e)) from e
    fields = set(Experiment.__dataclass_fields__) - {"name", "text"}
    demand(not set(given) - fields, f"unknown: {', '.join(sorted(set(given) - fields))}; there are {', '.join(sorted(fields))}")
    missing = [key for key in ("title", "about", "program", "args") if key not in given]
    demand(not missing, f"missing: {', '.join(missing)}")
    for key in ("kernels", "smp", "mem"):
        if key in given:
            given[key] = as_list(given[key])
    for key in ("knobs", "sweep"):
        demand(isinstance(given.get(key, {}), dict), f"[{key}] is a table of lists")
        given[key] = {variable: as_list(values) for variable, values in given.get(key, {}).items()}
    e = Experiment(name=name, text=text, **given)
    check(e)
    return e


def check(e):
    demand(set(e.kernels) <= {"faultline", "linux"} and e.kernels, "kernels: of faultline and linux")
    demand(all(isinstance(n, int) and n > 0 for n in [*e.smp, e.repeats, e.timeout]), "smp, repeats, timeout: positive numbers")
    demand(e.format in FORMATS, f"format: one of {', '.join(FORMATS)}")
    most = LINUX_ICOUNT_MAX_CPUS
    demand(not e.icount or "linux" not in e.kernels or max(e.smp) <= most, f"icount: Linux with at most {most} CPUs")
    for axes in (e.knobs, e.sweep):
        demand(all(axes.values()), "an empty list of values")
    used = set(re.findall(r"\{(\w+)\}", " ".join(map(str, e.args))))
    demand(set(e.sweep) <= used, f"args do not use {', '.join('{%s}' % n for n in sorted(set(e.sweep) - used))}")
    for plot in e.plot:
        demand(plot.get("kind") in PLOTS, f"a plot's kind: one of {', '.join(PLOTS)}")
        demand({"title", "x", "y"} <= set(plot), "a plot has title, x and y")
    for table in e.table:
        demand({"rows", "values"} <= set(table), "a table has rows and values")
    check_knobs(e.knobs)
    demand(e.points(), "no point is left")


def load(name):
    """NAME of experiments/, or the path of a file."""
    path = name if name.endswith(".toml") else os.path.join(FOLDER, f"{name}.toml")
    short = os.path.splitext(os.path.basename(path))[0]
    if not os.path.exists(path):
        raise ExperimentError(f"{path} does not exist; there are: {', '.join(shipped()) or 'none'}")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    try:
        return parse(text, short)
    except (ExperimentError, TypeError) as e:
        raise ExperimentError(f"{os.path.relpath(path)}: {e}") from e


def shipped():
    return sorted(name[:-5] for name in os.listdir(FOLDER) if name.endswith(".toml")) if os.path.isdir(FOLDER) else []
