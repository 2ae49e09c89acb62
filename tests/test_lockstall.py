# SPDX-License-Identifier: MIT
"""What a large mlock does to others and how it ends (user/lockstall): nobody waits longer than for a batch, munlock of
what was never touched costs the same at any size, SIGKILL and a lack of memory end it and give all back.

Where times are compared, instructions are counted and are the time: a busy machine changes nothing.
"""

import os
import subprocess

import pytest
from conftest import BUILD, run_argv

pytestmark = pytest.mark.natively

LOCKSTALL = os.path.join(BUILD, "user", "lockstall")
MIB = 64


def parse(text):
    """{part: {what: value}}"""
    parts = {}
    for line in text.splitlines():
        name, _, rest = line.partition(": ")
        values = dict(word.split("=") for word in rest.split())
        parts[name] = {what: value if value[0].isalpha() else float(value) for what, value in values.items()}
    return parts


def lockstall(kernel, *arguments, machine=("--icount",)):
    argv = run_argv(kernel, *machine, "--", LOCKSTALL, "--size", MIB, "--pause", 200, *arguments)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return parse(done.stdout)


def wait(kernel, **machine):
    """Another thread's longest wait for a mapping, as a part of the whole mlock."""
    seen = lockstall(kernel, "stall", **machine)["stall"]
    return seen["max_us"] / 1000 / seen["mlock_ms"]


def test_another_thread_waits_for_a_batch():
    """64 of 16384 pages."""
    assert wait("faultline") < 1 / 50


def test_it_would_wait_for_all(kernel):
    """As on Linux, and with the write lock held."""
    knob = ("--knob", "populate=under_write_lock") if kernel == "faultline" else ()
    assert wait(kernel, machine=("--icount", *knob)) > 1 / 2


def test_on_two_cpus():
    assert wait("faultline", machine=("--icount", "--smp", 2)) < 1 / 50


def test_untouched_costs_nothing_at_any_size():
    seen = lockstall("faultline", "untouched")["untouched"]
    assert 1 / 2 < seen["ratio"] < 2
    assert seen["more_resident"] == 0


def test_kill_ends_mlock(kernel):
    seen = lockstall(kernel, "stall", "kill")
    assert seen["kill"]["outcome"] == "killed"
    assert seen["kill"]["wait_ms"] < seen["stall"]["mlock_ms"] / 4
    assert seen["kill"]["missing_kib"] < 4096


def test_kill_with_gup():
    """What munlock=gup is about: whoever exits first faults in all that is locked."""
    seen = lockstall("faultline", "stall", "kill", machine=("--icount", "--knob", "munlock=gup"))
    assert seen["kill"]["wait_ms"] > seen["stall"]["mlock_ms"] / 2


def test_more_than_there_is(kernel):
    seen = lockstall(kernel, "oom", machine=("--mem", "256M"))["oom"]
    assert seen["outcome"] in ("killed", "EAGAIN", "ENOMEM")
    assert seen["missing_kib"] < 4096 or kernel == "linux"


@pytest.mark.parametrize("arguments, status", [(["--help"], 0), (["--size"], 2), (["--pause", "x"], 2), (["nothing"], 2)])
def test_usage(arguments, status):
    done = subprocess.run([LOCKSTALL, *arguments], capture_output=True, text=True, timeout=10)
    assert (done.returncode, done.stdout.startswith("usage: lockstall")) == (status, True)
