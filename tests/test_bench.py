# SPDX-License-Identifier: MIT
"""What memory operations cost does not grow unseen (tests/bench/expected), and `make bench` reads, compares and prints
its figures rightly."""

import os
import subprocess
import sys
import warnings

import pytest
from conftest import BUILD, TOP

sys.path.insert(0, os.path.join(TOP, "tools"))
import bench
import bench_cases
import bench_guard
from bench_cases import ABSENT, Figure

SAID = """\
check 100 nops 100 overhead 3
case a.one median 66.0 mean 66.5 n 2000
noise
case a.two unsupported
"""


def test_no_case_has_grown():
    """tests/bench/expected says what each costs; who makes one dearer changes the file in the same commit."""
    worse, better = bench_guard.check(BUILD)
    if better:
        warnings.warn("cheaper than tests/bench/expected (`make bench-update`):\n" + "\n".join(better), stacklevel=1)
    assert not worse, "dearer than tests/bench/expected (`make bench-update`, if it must be):\n" + "\n".join(worse)


def test_each_case_has_its_lines():
    """Each case of mmbench has an expected figure and one of the leanest Linux."""
    names = set(bench_cases.names(os.path.join(BUILD, "user", "mmbench")))
    with open(bench_guard.EXPECTED, encoding="utf-8") as f:
        assert set(bench_guard.load(f.read())[0]) == names
    assert set(bench.recorded()) == names


# ---- reading ----


def test_parse():
    assert bench_cases.parse(SAID) == {"a.one": Figure(66.0, 66.5, 2000), "a.two": ABSENT}


def test_a_failed_case_is_an_error():
    with pytest.raises(bench_cases.BenchError, match="a.three"):
        bench_cases.parse(SAID + "case a.three failed\n")


def test_linux_version(tmp_path):
    image = bytearray(0x800)
    image[0x20E:0x210] = (0x300).to_bytes(2, "little")
    text = b"6.1.0 (a@b) #1 SMP\0"
    image[0x500 : 0x500 + len(text)] = text
    (tmp_path / "vmlinuz").write_bytes(image)
    assert bench_cases.linux_version(tmp_path / "vmlinuz") == "6.1.0 #1 SMP"


# ---- the guard ----


def test_expected_is_read_as_it_is_written():
    cases = {"a.one": Figure(66.0, 66.5, 0), "a.two": ABSENT}
    assert bench_guard.load(bench_guard.render(cases, "gcc 12")) == (cases, "gcc 12")


@pytest.mark.parametrize("median, mean, worse, better", [
    (103.0, 110.0, 0, 0), (103.1, 100.0, 1, 0), (100.0, 110.1, 1, 0), (97.2, 100.0, 0, 0), (97.0, 90.0, 0, 2),
])  # fmt: skip
def test_compare(median, mean, worse, better):
    found = bench_guard.compare({"a": Figure(100.0, 100.0, 0)}, {"a": Figure(median, mean, 9)})
    assert tuple(map(len, found)) == (worse, better)


def test_compare_cases_that_come_and_go():
    one = Figure(1.0, 1.0, 1)
    assert bench_guard.compare({"a": ABSENT}, {"a": one}) == ([], ["a: new"])
    assert bench_guard.compare({"a": ABSENT}, {"a": ABSENT}) == ([], [])
    assert [len(bench_guard.compare({"a": one}, seen)[0]) for seen in ({"a": ABSENT}, {})] == [1, 1]


# ---- the table ----

OURS = {"a": Figure(50.0, 51.0, 9), "b": ABSENT}
LINUX = {"a": Figure(200.0, 210.0, 9), "b": Figure(10.0, 10.0, 9)}


def test_instruction_rows():
    rows, ratios = bench.instruction_rows({"faultline": [OURS], "linux": [LINUX]}, {"a": 100.0, "b": 5.0})
    assert rows[1:] == [
        ("a", "50", "51", "200", "210", "0.25", "100", "0.50"), ("b", "not there", "–", "10", "10", "–", "5", "–"),
    ]  # fmt: skip
    assert ratios == {"Linux": {"a": 0.25}, "lean": {"a": 0.5}, "Linux / lean": {"a": 2.0, "b": 2.0}}


def test_runs_that_differ_are_found():
    other = {**OURS, "a": Figure(50.0, 51.1, 9)}
    assert list(bench.disagreements({"faultline": [OURS, OURS]})) == []
    assert [line.split(":")[0] for line in bench.disagreements({"faultline": [OURS, OURS, other]})] == ["Faultline, a"]


def test_wall_rows():
    """The ratio is that of runs side by side, not of medians."""
    ours = [{"a": Figure(v, v, 1)} for v in (10.0, 30.0, 20.0)]
    linux = [{"a": Figure(v, v, 1)} for v in (20.0, 30.0, 80.0)]
    rows, ratios = bench.wall_rows({"faultline": ours, "linux": linux})
    assert rows[1] == ("a", "20", "30", "0.50", "0.25", "1.00")
    assert ratios == {"a": 0.5}


@pytest.mark.parametrize("arguments, said", [(["--case", "nope"], "no case begins with"), (["--runs", "0"], "positive")])
def test_usage(arguments, said):
    done = subprocess.run([sys.executable, f"{TOP}/tools/bench.py", "--build-dir", BUILD, *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stderr
