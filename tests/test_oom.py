# SPDX-License-Identifier: MIT
"""The machine runs out of memory in all ways there are (user/starve), from a shell: who should die dies, nothing hangs, and
the shell goes on, with its memory back.

One boot for each scenario. What Linux in the same machine does is the measure, except for failures on demand.
"""

import os

import pytest
from conftest import BUILD

STARVE = os.path.join(BUILD, "user", "starve")
SWAP_MIB = 32

# Exit status, then what the shell itself still can do: a pipe, a file, a process.
SCRIPT = """
starve {scenario}
echo status $?
echo some words | wc -w
echo kept >/tmp/file && cat /tmp/file && rm /tmp/file
echo locked $(awk '/^(Mlocked|Unevictable):/ {{ n += $2 }} END {{ print n }}' /proc/meminfo)
"""

SCENARIOS = ["touch", "fork", "mlock", "populate", "tables", "threads", "tmpfs", "pipe", "mutex", "scores"]


@pytest.fixture(autouse=True)
def when_there_is_time(request, kernel):
    if request.config.getoption("--quick"):
        pytest.skip("too long for --quick")
    if kernel == "linux" and not request.config.getoption("--soak"):
        pytest.skip("on Linux only with --soak")


def survives(run, scenario, *options, memory="160M"):
    done = run("--mem", memory, *options, "--timeout", 300, "--file", f"{STARVE}:/bin/starve", "--",
               "busybox", "sh", "-c", SCRIPT.format(scenario=scenario), timeout=320)  # fmt: skip
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"the machine did not survive: {text}{done.stderr.decode(errors='replace')}"
    lines = text.splitlines()
    assert "status 0" in lines, text
    assert lines[lines.index("status 0") + 1 :] == ["2", "kept", "locked 0"], text
    return text


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_shell_survives(run, scenario):
    survives(run, scenario)


@pytest.mark.parametrize("scenario", ["touch", "tmpfs", "scores", "fork"])
def test_shell_survives_full_swap(run, scenario):
    survives(run, scenario, "--swap", f"{SWAP_MIB}M")


def test_shell_survives_swapoff(run):
    survives(run, "swapoff", "--swap", "64M")


def test_swapon_kills_nobody(run, kernel):
    """200 MiB for the slots of 100 GiB are not to be had."""
    if kernel == "linux":
        pytest.skip("a slot costs less there")
    script = "mkswap /dev/vda >/dev/null && swapon /dev/vda; echo status $?; grep oom_kill /proc/vmstat"
    done = run("--mem", "160M", "--disk", "100G", "--", "busybox", "sh", "-c", script, timeout=120)
    assert done.stdout.decode().split("\n")[:2] == ["status 1", "oom_kill 0"], done.stderr


@pytest.mark.parametrize("scenario", ["threads", "fork", "populate", "vfork"])
def test_shell_survives_on_four_cpus(run, scenario):
    survives(run, scenario, "--smp", 4)


def test_shell_survives_full_swap_on_four_cpus(run):
    survives(run, "fork", "--smp", 4, "--swap", f"{SWAP_MIB}M")


@pytest.mark.parametrize("kernel", ["faultline"])
@pytest.mark.parametrize("image", ["release", "debug"])
def test_failures_at_every_site(run, image):
    options = ["--debug"] if image == "debug" else []
    text = survives(run, "failures", *options)
    counts = {line.split()[2]: int(line.split()[4]) for line in text.splitlines() if line.startswith("starve failures")}
    assert set(counts) == {"alloc_pages", "kmalloc", "vma_alloc", "pagetable", "xarray"} and min(counts.values()) > 0, text
