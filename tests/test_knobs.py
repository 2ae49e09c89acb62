# SPDX-License-Identifier: MIT
"""Each design choice of the lock family makes the difference that it is about: tests/knobs/knob_probe.c says what one
sees, in a boot for each value. Instructions are counted (--icount) and are the time, so that a busy machine changes
nothing.
"""

import functools
import os
import subprocess

import knobs
import pytest
from conftest import BUILD, TOP, run_argv

pytestmark = pytest.mark.together

PROBE = os.path.join(TOP, "tests", "knobs", "knob_probe.c")
PAGES = 16  # of most of the probe's mappings
MANY = 256  # of those that munlock is about


@pytest.fixture(scope="module")
def probe(tmp_path_factory, request):
    """probe(names, "knob=value", ...) -> {what: value}"""
    if request.config.getoption("--quick"):
        pytest.skip("a boot for each value: not with --quick")
    program = tmp_path_factory.mktemp("knobs") / "knob_probe"
    flags = ["-std=gnu11", "-O2", "-static", "-pthread", f"-I{TOP}/include", f"-I{TOP}/tests/user"]
    library = os.path.join(BUILD, "obj", "tests", "user", "libtest.a")
    subprocess.run(["musl-gcc", *flags, "-o", program, PROBE, library], check=True)

    @functools.lru_cache(maxsize=None)
    def call(names, *settings):
        options = [word for knob in settings for word in ("--knob", knob)]
        argv = run_argv("faultline", "--icount", *options, "--", program, *names.split())
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        words = [line.split() for line in done.stdout.splitlines()]
        return {name: int(value) if value.lstrip("-").isdigit() else value for name, value in words}

    return call


def test_proc_knobs():
    """The guest sees all knobs, at their defaults but for the one that was set and what depends on the machine."""
    argv = run_argv("faultline", "--knob", "populate.batch=7", "--", "busybox", "cat", "/proc/knobs")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, text=True)
    seen = dict(line.split("=") for line in done.stdout.split())
    expected = {name: knob.default for name, knob in knobs.known().items()} | {"populate.batch": "7"}
    assert set(seen) == set(expected)
    assert {name for name in expected if seen[name] != expected[name]} <= {"vm.min_free_kbytes"}


# ---- populate ----


def test_populate_incremental(probe):
    """A batch of 64 of 32768 pages is what another thread waits for, once or twice."""
    seen = probe("stall")
    assert seen["waits"] > 5
    assert seen["longest_ns"] < seen["mlock_ns"] / 50


def test_populate_under_write_lock(probe):
    """It waits for all of it."""
    seen = probe("stall", "populate=under_write_lock")
    assert seen["longest_ns"] > seen["mlock_ns"] / 2


def test_populate_eager(probe):
    """Whatever is mapped is there, though nobody asked; by default nothing is."""
    cases = "mmap", "brk", "mremap", "future_onfault"
    assert {case: probe("fill", "populate=eager")[case] for case in cases} == dict.fromkeys(cases, PAGES)
    assert {case: probe("fill")[case] for case in cases} == dict.fromkeys(cases, 0)


def test_populate_batch(probe):
    """How long another thread waits is the size of a batch; one without end is Linux's."""
    one, usual, endless = (probe("stall", *knob) for knob in (["populate.batch=1"], [], ["populate.batch=1048576"]))
    assert one["longest_ns"] < usual["longest_ns"] < endless["longest_ns"]
    assert endless["longest_ns"] > endless["mlock_ns"] / 2


def test_vm_populate(probe):
    """With the flag a mapping that replaced what was to be filled stays empty; without it, it is filled, not locked."""
    for knobs, rss in (((), PAGES), (("populate.vm_populate=on",), 0)):
        seen = probe("replace", *knobs)
        assert (seen["replaced"], seen["rss"], seen["locked"]) == (1, rss, 0), knobs


def test_vm_populate_hinders_merging(probe):
    """It is the trace that mlock leaves: unlocked vmas that would be one stay many."""
    assert probe("merge") == {"locked_vmas": PAGES, "unlocked_vmas": 1}
    assert probe("merge", "populate.vm_populate=on") == {"locked_vmas": PAGES, "unlocked_vmas": PAGES}


def test_longest_hold(probe):
    """What mlock does before it lets the write lock go: not the population, and then all of it; nothing is measured unasked."""
    usual = probe("hold", "lock_stat.hold=on")
    under_lock = probe("hold", "lock_stat.hold=on", "populate=under_write_lock")
    assert usual["sites"] == under_lock["sites"] == 1
    assert 0 < usual["held_ns"] < usual["mlock_ns"] / 1000
    assert under_lock["mlock_ns"] * 0.9 < under_lock["held_ns"] <= under_lock["mlock_ns"]
    assert probe("hold")["sites"] == 0


# ---- munlock, lockonfault, mlock.error ----


def test_munlock(probe):
    """gup brings every absent page in, in order to unlock it: in munlock, in munmap and at exit."""
    faults = "munlock_faults", "munmap_faults", "exit_faults"
    walk, gup = probe("munlock"), probe("munlock", "munlock=gup")
    assert all(-8 <= walk[name] <= 8 for name in faults), walk
    assert all(MANY - 8 <= gup[name] <= MANY + 8 for name in faults), gup
    assert (walk["munlock_rss"], gup["munlock_rss"]) == (0, MANY)
    assert (walk["between_rss"], gup["between_rss"]) == (0, 2)


def test_lockonfault(probe):
    """A vma that knows its mode is not merged with one of the other, says "lf", and is filled by nobody else."""
    assert probe("onfault") == {
        "interleaved_vmas": PAGES, "lf": 1, "before_growth": 0, "after_growth": 0, "made_writable": 0, "future": 0,
    }  # fmt: skip
    assert probe("onfault", "lockonfault=mm") == {
        "interleaved_vmas": 1, "lf": 0, "before_growth": 0, "after_growth": PAGES // 2, "made_writable": PAGES, "future": 0,
    }  # fmt: skip


def test_mlock_count(probe):
    """Both know when the last of several locks is gone; a look at all mappings takes as long as there are many."""
    page, rmap = probe("count"), probe("count", "mlock_count=rmap")
    for seen in page, rmap:
        assert (seen["kept"], seen["locked_at_end"]) == (2, 0)
    assert page["munlock_of_64_ns"] < page["munlock_of_1_ns"] * 1.5
    assert rmap["munlock_of_64_ns"] > rmap["munlock_of_1_ns"] * 4


def test_mlock_batch(probe):
    """As in Linux: a new page is marked locked at once, and unevictable with 30 others; by default at once, too."""
    once, batched = probe("batch"), probe("batch", "mlock.batch=31")
    names = "mlocked_30", "unevictable_30", "unevictable_31", "unevictable_32", "unevictable_unlocked"
    assert [once[name] for name in names] == [30, 30, 31, 32, 0]
    assert [batched[name] for name in names] == [30, 0, 31, 31, 0]


def test_mlock_error(probe):
    """What a failed mlock leaves: all that lies before the hole; all flags, though a page cannot be had; or nothing."""
    keep, rollback = probe("error"), probe("error", "mlock.error=rollback")
    assert keep["hole_result"] == keep["none_result"] == rollback["hole_result"] == rollback["none_result"] == -12
    assert (keep["hole_vmlck"], keep["hole_locked"]) == (PAGES // 2, PAGES // 2)
    assert (keep["none_vmlck"], keep["none_locked"], keep["none_rss"]) == (PAGES, PAGES, PAGES // 2)
    assert [rollback[name] for name in ("hole_vmlck", "hole_locked", "none_vmlck", "none_locked")] == [0] * 4
    assert (keep["mixed_locks"], rollback["mixed_locks"]) == ("L" * PAGES, "LLFF" + "U" * (PAGES - 4))
