# SPDX-License-Identifier: MIT
"""`make experiment`: the file is read and its mistakes are named, a run goes on where it was stopped, the report says
what was measured.
"""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from conftest import BUILD, TOP

sys.path.insert(0, os.path.join(TOP, "tools"))
import experiment_matrix as matrix
import experiment_run as runner
import knobs
from experiment_matrix import ExperimentError, Point

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None
needs_matplotlib = pytest.mark.skipif(not HAS_MATPLOTLIB, reason="`tools/setup report` installs matplotlib")

SMALL = """
title = "A & B"
about = "One.\\n\\nTwo."
program = "user/thing"
args = ["--areas", "{areas}"]
icount = true
repeats = 2
knobs."vma.index" = ["list", "maple"]
sweep.areas = [10, 100]
skip = [{ "vma.index" = "list", areas = 100 }]
[[plot]]
title = "Cost"
kind = "lines"
x = "areas"
y = "median"
where = { case = "f" }
[[table]]
rows = ["areas"]
columns = ["what"]
values = ["median"]
"""


@pytest.fixture
def small():
    return matrix.parse(SMALL, "small")


@pytest.fixture
def build_dir(tmp_path):
    """What an experiment looks at before it starts."""
    for name in ("kernel.elf", "linux/vmlinuz", "user/thing"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode().ljust(0x400, b"\0"))
    (tmp_path / "flags").write_text("cc -O2\n")
    return str(tmp_path)


def fake(calls, fail=()):
    """A run that costs 10 instructions an area, twice that on Linux."""

    def once(e, point, build_dir):
        calls.append((str(point)))
        if str(point) in fail:
            return {"error": "status 125"}
        cost = dict(point.sweep)["areas"] * (20 if point.kernel == "linux" else 10)
        return {"rows": [{"case": "f", "median": cost}]}

    return once


def silent(text):
    pass


# ---- the file ----


def test_points(small):
    """Knobs are Faultline's only; what is to be skipped is."""
    assert [(p.what(), dict(p.sweep)["areas"]) for p in small.points()] == [
        ("vma.index=list", 10), ("vma.index=maple", 10), ("vma.index=maple", 100), ("Linux", 10), ("Linux", 100),
    ]  # fmt: skip
    assert small.arguments(small.points()[2]) == ["--areas", "100"]


@pytest.mark.parametrize("change, said", [
    (("[10, 100]", "[]"), "empty"), (("sweep.areas", "sweep.other"), "do not use {other}"), (("maple", "trie"), "cannot be 'trie'"),
    (("vma.index\" =", "vma.none\" ="), "not in include/kern/knobs.def"), (("title = \"A", "titel = \"A"), "unknown: titel"),
    (('kind = "lines"', 'kind = "pie"'), "kind"), (("icount = true", "icount = true\nsmp = 4"), "at most 2 CPUs"), (("repeats = 2", "repeats = 0"), "positive"),
    (("{areas}", "{areas"), "do not use"), (("program = \"user/thing\"", ""), "missing: program"), (("= true", "= maybe"), ""),
])  # fmt: skip
def test_mistakes(change, said):
    assert change[0] in SMALL
    with pytest.raises(ExperimentError, match=said.replace("{", r"\{")):
        matrix.parse(SMALL.replace(*change, 1), "small")


@pytest.mark.parametrize("name", matrix.shipped())
def test_shipped(name):
    """Each can be read, its knobs and their values exist, and its program is built."""
    e = matrix.load(name)
    assert e.program == "busybox" or os.path.exists(os.path.join(BUILD, e.program))
    assert e.plot and e.table


def test_knobs_known():
    known = knobs.known()
    assert known["vma.index"].default == "maple" and known["vma.index"].allows("rbtree")
    assert known["populate.batch"].allows(64) and known["populate.batch"].allows("0x40") and not known["populate.batch"].allows(0)
    assert "perhaps populate" in knobs.problem("pupulate", "eager")
    assert "incremental" in knobs.problem("populate", "egaer")
    with open(knobs.LIST, encoding="utf-8") as f:
        assert len(known) == sum(line.startswith("KNOB_") for line in f)


# ---- what programs print ----


@pytest.mark.parametrize("form, text, rows", [
    ("cases", "noise\ncase a median 2.5 mean 3 n 9\ncase b unsupported\n", [{"case": "a", "median": 2.5, "mean": 3, "n": 9}]),
    ("fields", "x: a=1 b=two\nno: fields here\n", [{"part": "x", "a": 1, "b": "two"}]),
    ("csv", "a,b\n1,x\n2.5,y\nbroken\n", [{"a": 1, "b": "x"}, {"a": 2.5, "b": "y"}]), ("csv", "", []),
])  # fmt: skip
def test_parse(form, text, rows):
    assert runner.parse(form, text) == rows


# ---- running and going on ----


def test_repeats_take_turns(small, build_dir, tmp_path):
    calls = []
    assert runner.run_all(small, build_dir, runner.Results(tmp_path / "r"), silent, fake(calls)) == 0
    assert calls == [str(p) for p in small.points()] * 2


def test_goes_on_where_it_was_stopped(small, build_dir, tmp_path):
    """Also when the last line was cut off, and what failed is tried again."""
    calls, said = [], []
    path = tmp_path / "r"
    failing = str(small.points()[1])
    assert runner.run_all(small, build_dir, runner.Results(path), silent, fake(calls, [failing])) == 2
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:8]) + lines[8][:20])
    calls.clear()
    assert runner.run_all(small, build_dir, runner.Results(path), said.append, fake(calls)) == 0
    points = [str(p) for p in small.points()]
    assert calls == [points[1], points[1], points[3], points[4]]
    assert "6 of 10 runs are there already" in said[0] and "left" in said[2]
    calls.clear()
    assert runner.run_all(small, build_dir, runner.Results(path), silent, fake(calls)) == 0
    assert calls == []
    assert all(json.loads(line) for line in path.read_text().splitlines() if line.endswith("}"))


def test_another_kernel_is_measured_anew(small, build_dir, tmp_path):
    results, calls = runner.Results(tmp_path / "r"), []
    runner.run_all(small, build_dir, results, silent, fake([]))
    with open(os.path.join(build_dir, "kernel.elf"), "ab") as f:
        f.write(b"new")
    runner.run_all(small, build_dir, results, silent, fake(calls))
    assert calls == [str(p) for p in small.points() if p.kernel == "faultline"] * 2


def test_a_kernel_that_changes_meanwhile(small, build_dir, tmp_path):
    """What it measured is not kept under the old one's name."""

    def rebuild(e, point, build_dir):
        with open(os.path.join(build_dir, "kernel.elf"), "ab") as f:
            f.write(b"new")
        return fake([])(e, point, build_dir)

    results = runner.Results(tmp_path / "r")
    with pytest.raises(ExperimentError, match="built anew"):
        runner.run_all(small, build_dir, results, silent, rebuild)
    assert not results.by_key


def test_what_is_missing_is_named(small, build_dir, tmp_path):
    os.unlink(os.path.join(build_dir, "user", "thing"))
    with pytest.raises(ExperimentError, match="user/thing does not exist"):
        runner.run_all(small, build_dir, runner.Results(tmp_path / "r"), silent, fake([]))


def test_time_left():
    entries = [{"what": "Linux, 1 CPU, 1G", "kernel": "linux", "seconds": 30}]
    linux, ours = Point("linux", 1, "1G"), Point("faultline", 1, "1G")
    assert runner.seconds_left([linux, linux, ours], entries, 5) == 65
    assert runner.seconds_left([ours], [], None) is None
    assert [runner.duration(s) for s in (7.2, 61, 3700)] == ["7 s", "1 min 1 s", "1 h 1 min"]


def test_command(small):
    argv, folder = runner.command(small, small.points()[1], "/b")
    assert folder == "/b/user" and argv[-4:] == ["--", "./thing", "--areas", "10"]
    assert {"--icount", "vma.index=maple"} <= set(argv)


# ---- the report ----


@needs_matplotlib
def test_report(small, build_dir, tmp_path):
    import experiment_report

    results = runner.Results(tmp_path / "r")
    failing = str(small.points()[0])
    runner.run_all(small, build_dir, results, silent, fake([], [failing]))
    page = experiment_report.render(small, build_dir, results)
    assert "<h1>A &amp; B</h1>" in page and "<p>Two.</p>" in page
    assert page.count("<svg") == 1 and "make experiment E=small" in page and "vma.index" in page
    assert f"{failing}, run 1: status 125" in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace("http://creativecommons.org", "")
    assert page == experiment_report.render(small, build_dir, results)


@needs_matplotlib
def test_pivot():
    import experiment_report

    rows = [{"areas": 10, "what": "Linux", "median": m} for m in (1, 5, 3)] + [{"areas": 100, "what": "list", "median": 2000}]
    table = {"rows": ["areas"], "columns": ["what"], "values": ["median"]}
    assert experiment_report.pivot(rows, table) == (["areas", "Linux", "list"], [["10", "3 (1–5)", "–"], ["100", "–", "2,000"]])
    both = experiment_report.pivot([{"a": 1, "x": 2, "y": "no"}], {"rows": ["a"], "values": ["x", "y"]})
    assert both == (["a", "x", "y"], [["1", "2", "no"]])


@needs_matplotlib
@pytest.mark.parametrize("kind", matrix.PLOTS)
def test_plots(kind):
    """Each kind draws what there is, and nothing when there is nothing."""
    import experiment_plot

    plot = {"title": "T", "kind": kind, "x": "x", "y": "y", "log": "xy"}
    rows = [{"what": w, "x": x, "y": x * 3 + n} for n, w in enumerate(("Linux", "ours")) for x in (1, 10, 100) for _ in range(2)]
    svg = experiment_plot.draw(plot, rows, 0)
    assert svg.startswith("<svg") and "Linux" in svg and "ours" in svg
    assert experiment_plot.draw(plot, [{"what": "Linux"}], 0) == ""


# ---- all together ----


@pytest.mark.parametrize("arguments, status, said", [
    (["--list"], 0, "vma-index"), ([], 2, "which one"), (["nope"], 2, "does not exist"), (["--plan", "munlock"], 0, "munlock=gup"),
])  # fmt: skip
def test_usage(arguments, status, said):
    done = subprocess.run([sys.executable, f"{TOP}/tools/experiment.py", "--build-dir", BUILD, *arguments], capture_output=True, text=True)
    assert done.returncode == status and said in done.stdout + done.stderr


@needs_matplotlib
def test_a_small_experiment(tmp_path):
    """From the file to the page, on Faultline."""
    file = tmp_path / "tiny.toml"
    file.write_text(SMALL.replace("user/thing", "user/mmbench").replace('"f"', '"areas.fault"')
                    .replace("icount = true", 'icount = true\nkernels = "faultline"'))  # fmt: skip
    build = tmp_path / "build"
    build.mkdir()
    for name in ("kernel.elf", "user", "flags"):
        (build / name).symlink_to(os.path.join(BUILD, name))
    argv = [sys.executable, f"{TOP}/tools/experiment.py", "--build-dir", build, file]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (build / "experiments" / "tiny" / "report.html").read_text()
    assert page.count("<svg") == 1 and "Not there" not in page


@pytest.mark.parametrize("program, arguments, said", [
    ("contend", ["--faults", "2", "--seconds", "0.2"], "map: per_s="), ("faultaround", [], "case every.16 median"),
    ("mmbench", ["--areas", "100"], "case areas.mprotect median"), ("contend", ["--help"], "usage"), ("faultaround", ["--help"], "usage"),
])  # fmt: skip
def test_programs(run, program, arguments, said):
    done = run("--smp", "2", "--", os.path.join(BUILD, "user", program), *arguments)
    assert done.returncode == 0 and said in done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("program, arguments", [("contend", ["--faults"]), ("contend", ["--maps", "x"]), ("faultaround", ["x"]), ("mmbench", ["--areas"])])
def test_programs_usage(program, arguments):
    assert subprocess.run([os.path.join(BUILD, "user", program), *arguments], capture_output=True, timeout=10).returncode == 2
