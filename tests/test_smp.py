# SPDX-License-Identifier: MIT
"""Several CPUs: they are all there, and what races on them comes out right.

`make soak` runs the same with --soak: ten boots with each number of CPUs, a minute or more each. SEED=n in the
environment repeats a run of mmrace; each prints its own.
"""

import os
import random
import shutil
import subprocess

import guest
import pytest
from conftest import BUILD, INIT, kernel_path, run_argv

MMRACE = os.path.join(BUILD, "user", "mmrace")
STALE = os.path.join(BUILD, "tests", "user", "munmap_stale")
STRESSORS = ["futex", "pthread", "mmap", "fork", "switch", "shm-sysv"]


def pytest_generate_tests(metafunc):
    soak = metafunc.config.getoption("--soak")
    if "boot" in metafunc.fixturenames:
        boots = [(cpus, n) for cpus in (2, 4, 8) for n in range(10)] if soak else [(1, 0), (2, 0), (4, 0), (8, 0)]
        metafunc.parametrize("cpus, boot", boots, ids=[f"{cpus}-cpus-{n}" for cpus, n in boots])


@pytest.fixture
def soak(request):
    if request.config.getoption("--quick"):
        pytest.skip("too long for --quick")
    return request.config.getoption("--soak")


@pytest.fixture
def tell(capfd):
    """tell(text): a line on the terminal, also when the test passes."""

    def line(text):
        with capfd.disabled():
            print(f"\n{text}", flush=True)

    return line


def run_program(program, debug=False, **machine):
    """Runs a guest.Program; it must pass and give all memory back. Its output."""
    result = guest.JobResult(os.path.basename(program.host))
    guest.run_batch(INIT, [(result, program)], kernel=kernel_path(debug), **machine)
    text = result.output.decode(errors="replace")
    what = " ".join([result.name, *program.args])
    assert not result.trouble, f"{what}: {result.trouble}\n{text}"
    assert result.status == 0, f"{what}: status {result.status}\n{text}"
    assert not result.leak(), f"{what}: {result.leak()}\n{text}"
    return text


@pytest.mark.parametrize("cpus", [1, 2, 8, 33, 64])
def test_number_of_cpus(cpus):
    argv = run_argv("faultline", "--smp", cpus, "--", "busybox", "nproc")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=90)
    assert done.stdout == b"%d\n" % cpus


def test_mmrace(cpus, boot, soak, tell):
    seed = int(os.environ.get("SEED") or random.getrandbits(32))
    seconds = 60 if soak else 10
    args = ("--seed", str(seed), "--seconds", str(seconds), "--memory")
    # Checking every invariant after each call is slow, so that less of it happens at the same time.
    knobs = ["validate=off"] if boot % 2 else []
    if soak:
        tell(f"mmrace {' '.join(args)} with {cpus} CPUs {' '.join(knobs)}")
    program = guest.Program(MMRACE, args=args, seconds=seconds + 240)
    run_program(program, debug=True, smp=cpus, mem="512M", knobs=knobs)


def test_munmap_stale_a_million_times(soak, tell):
    """In short: some hundred rounds of every variant are among the user tests."""
    if not soak:
        pytest.skip("only with --soak")
    program = guest.Program(STALE, args=("1000000", "munmap"), seconds=6 * 3600)
    tell(run_program(program, smp=2, mem="512M"))


@pytest.mark.parametrize("stressor", STRESSORS)
def test_stress_ng(stressor, soak):
    """The distribution's dynamic binary, unmodified."""
    seconds = 60 if soak else 3
    program = shutil.which("stress-ng") or pytest.fail("stress-ng is not on this machine")
    argv = run_argv("faultline", "--smp", 4 if soak else 2, "--timeout", seconds + 120, "--",
                    program, f"--{stressor}", 4, "--timeout", seconds, "--verify")  # fmt: skip
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds + 180)
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, text
    assert "successful run completed" in text
    assert "fail:" not in text and "error:" not in text, text
