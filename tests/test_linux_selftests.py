# SPDX-License-Identifier: MIT
"""Linux's own selftests, unmodified, on Linux and here; tests/linux/selftests.list says which and why not the others.

What a program did on Linux is kept beside the programs, under the checksums of the kernel and the program, so
that Linux boots only when one of them has changed.
"""

import glob
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass

import guest
import ktap
import pytest
from conftest import BUILD, INIT, LINUX_KERNEL, kernel_path, run_argv

sys.path.insert(0, os.path.join(guest.TOP, "tools"))
import linux_selftests as selftests

pytestmark = pytest.mark.together
HOME = os.path.join(BUILD, "linux", "selftests")
RESULTS = os.path.join(HOME, "results.json")  # for docs/selftests.md
KEPT = os.path.join(HOME, "linux.json")
ENTRIES = selftests.read_list()
PLACES = {
    "linux": {"linux": True, "mem": "4G", "smp": 2},
    "1-debug": {"mem": "4G", "debug": True},
    "4": {"mem": "4G", "smp": 4},
}


@dataclass
class Outcome:
    status: int | None
    output: str
    trouble: str = ""

    def passed(self):
        """The names of the subtests that passed; what stands in brackets is the process's number."""
        return {re.sub(r"\[\d+\]", "[]", c.name) for c in ktap.parse(self.output).cases if c.outcome == "passed"}


def binary(entry):
    return os.path.join(HOME, "bin", entry.name)


def program(entry):
    return guest.Program(binary(entry), path=f"/selftests/{entry.name}", args=entry.args, user=entry.user, cwd="/tmp")


def selected(session):
    """The (place, entry) pairs of this session."""
    params = [i.callspec.params for i in session.items if getattr(i, "originalname", "") == "test_selftest"]
    return {(p["place"], p["entry"]) for p in params}


class Runs:
    """Boots a place when the first result of it is asked for, for all the tests of this session."""

    def __init__(self, session):
        wanted = selected(session)
        self.entries = {place: [e for e in ENTRIES if (place, e) in wanted] for place in PLACES}
        self.batches = {}

    def start(self, place, entries):
        machine = dict(PLACES[place])
        kernel = LINUX_KERNEL if machine.get("linux") else kernel_path(machine.pop("debug", False))
        batch = guest.Batch(INIT, [program(e) for e in entries], kernel=kernel, **machine)
        batch.start()
        return batch

    def result(self, place, entry):
        if place not in self.batches:
            self.batches[place] = self.start(place, self.entries[place])
        result = self.batches[place].result(binary(entry))
        trouble = result.trouble or (result.leak() if place != "linux" else "")
        return Outcome(result.status, result.output.decode(errors="replace"), trouble)


class Referee(Runs):
    """What the programs did on Linux, from the last time where nothing has changed since."""

    def __init__(self, session):
        super().__init__(session)
        self.kept = {}
        if os.path.exists(KEPT):
            with open(KEPT, encoding="utf-8") as f:
                self.kept = json.load(f)
        kernel = selftests.digest(LINUX_KERNEL)
        self.keys = {e: f"{kernel} {selftests.digest(binary(e))} {PLACES['linux']} {e.user} {e.args}"
                     for e in ENTRIES if e.runs and os.path.exists(binary(e))}  # fmt: skip
        self.entries["linux"] = [e for e in self.keys if self.keys[e] not in self.kept]

    def result(self, entry):
        key = self.keys[entry]
        if key not in self.kept:
            outcome = super().result("linux", entry)
            if outcome.status != 0 or outcome.trouble:
                return outcome
            self.kept[key] = outcome.output
            with open(KEPT, "w", encoding="utf-8") as f:
                json.dump({k: v for k, v in self.kept.items() if k in self.keys.values()}, f)
        return Outcome(0, self.kept[key])


@pytest.fixture(scope="module")
def runs(request):
    return Runs(request.session)


@pytest.fixture(scope="module")
def referee(request):
    option = request.config.getoption
    if option("--quick") or option("--no-linux") or not os.path.exists(LINUX_KERNEL):
        return None
    return Referee(request.session)


@pytest.fixture(scope="module")
def passed(request):
    """test -> where it passed; written out at the end for docs/selftests.md, unless only some tests were run."""
    found = {}
    yield found
    if len(selected(request.session)) < len(PLACES) * sum(e.runs for e in ENTRIES):
        return
    everywhere = sorted(name for name, places in found.items() if places == set(PLACES))
    with open(os.path.join(HOME, "unpacked.json"), encoding="utf-8") as f:
        package = json.load(f)
    base = os.path.join(HOME, "src", selftests.SELFTESTS)
    sources = {}
    for e in ENTRIES:
        for path in (f"{base}/{e.name}", f"{base}/{e.name}.c", f"{base}/{e.name.removesuffix('_64')}.c"):
            if os.path.isfile(path):
                sources[e.name] = selftests.digest(path)
    with open(RESULTS, "w", encoding="utf-8") as f:
        json.dump({"package": package["package"], "version": package["version"], "passed": everywhere, "sources": sources}, f)


def test_sources_are_the_packages():
    recorded, actual = selftests.package_digest(*selftests.find_package()[::2])
    assert recorded == actual
    with open(os.path.join(HOME, "SHA256SUMS"), encoding="utf-8") as f:
        unpacked = {path: digest for digest, path in (line.rstrip("\n").split("  ", 1) for line in f)}
    assert selftests.digests(os.path.join(HOME, "src")) == unpacked


def test_every_memory_test_is_in_the_list():
    base = os.path.join(HOME, "src", selftests.SELFTESTS, "mm")
    present = {os.path.basename(p).removesuffix(".c") for p in glob.glob(f"{base}/*.c") + glob.glob(f"{base}/*.sh")} - {"vm_util"}
    assert present == {os.path.basename(e.name) for e in ENTRIES if e.directory == "mm"}


def pytest_generate_tests(metafunc):
    if "entry" not in metafunc.fixturenames:
        return
    option = metafunc.config.getoption
    places = ["4"] if option("--quick") else [p for p in PLACES if p != "linux" or not option("--no-linux")]
    entries = [e for e in ENTRIES if e.runs and (e.directory == "mm" or not option("--quick"))]
    metafunc.parametrize("place", places)
    metafunc.parametrize("entry", entries, ids=lambda e: e.name)


def repeat_line(place, entry):
    words = ["./run", "--kernel linux" if place == "linux" else "--debug" if PLACES[place].get("debug") else "", "--mem 4G"]
    words += [f"--smp {PLACES[place].get('smp', 1)} --cwd /tmp", f"--user {entry.user}" if entry.user else ""]
    return " ".join(filter(None, [*words, "--", os.path.relpath(binary(entry), guest.TOP), *entry.args]))


def test_selftest(place, entry, runs, referee, passed):
    if place == "linux" and not referee:
        pytest.skip("the distribution's kernel could not be downloaded")
    outcome = referee.result(entry) if place == "linux" else runs.result(place, entry)
    report = f"status {outcome.status}\n{outcome.output}\nto repeat: {repeat_line(place, entry)}"
    assert not outcome.trouble, f"{outcome.trouble}\n{report}"
    assert outcome.status == 0, report
    if place != "linux" and referee:
        lacking = referee.result(entry).passed() - outcome.passed()
        if entry.without:
            lacking = {name for name in lacking if entry.without not in name}
        assert not lacking, f"on Linux these pass: {lacking}\n{report}"
    passed.setdefault(entry.name, set()).add(place)


@pytest.mark.parametrize("kernel", ["linux", "faultline"])
def test_khugepaged_of_anonymous_memory(kernel, request):
    """The part of mm/khugepaged that wants pages in swap, which the machines above do not have."""
    if kernel == "linux" and (request.config.getoption("--no-linux") or not os.path.exists(LINUX_KERNEL)):
        pytest.skip("without the distribution's kernel")
    program_path = os.path.join(HOME, "bin", "mm", "khugepaged")
    argv = run_argv(kernel, "--mem", "2G", "--swap", "1G", "--cwd", "/tmp", "--timeout", 300, "--", program_path, "all:anon")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    report = f"{done.stdout}\n{done.stderr}\nto repeat: {' '.join(argv)}"
    assert done.returncode == 0, report
    tests = re.findall(r"^Run test: (\w+)", done.stdout, re.MULTILINE)
    assert "collapse_swapin_single_pte" in tests and "Fail" not in done.stdout, report
