# SPDX-License-Identifier: MIT
"""More is written than there is memory, and all of it is read again (user/memcheck): anonymous memory with swap, and a
mapped disk, on 1 and 4 CPUs, alone and beside a process that holds half of the memory by mlock.

Small machines and one pass in `make test`; with --soak larger ones, more passes, random orders.
"""

import os
import random
import subprocess
from dataclasses import dataclass

import pytest
from conftest import BUILD, run_argv

MEMCHECK = os.path.join(BUILD, "user", "memcheck")


@dataclass
class Size:
    """Of the machine, in MiB; what is written is four times that, and swap eight times."""

    memory: int
    passes: int
    order: str
    seconds: int


SMALL = Size(memory=64, passes=1, order="sequential", seconds=240)
FULL = Size(memory=512, passes=3, order="both", seconds=3600)


@pytest.fixture
def size(request, kernel):
    if request.config.getoption("--quick"):
        pytest.skip("too long for --quick")
    if request.config.getoption("--soak"):
        return FULL
    if kernel == "linux":
        pytest.skip("on Linux, which takes minutes, only with --soak")
    return SMALL


@pytest.fixture(params=[1, 4], ids=["1-cpu", "4-cpus"])
def pressed(request, kernel, size):
    """pressed(memcheck's arguments): it must pass; what it said."""

    def call(*args, order=size.order, options=()):
        argv = run_argv(kernel, *options, "--mem", f"{size.memory}M", "--smp", request.param, "--disk", f"{4 * size.memory}M",
                        "--swap", f"{8 * size.memory}M", "--timeout", size.seconds, "--", MEMCHECK,
                        "--passes", size.passes, "--processes", request.param, "--order", order, *args)  # fmt: skip
        done = subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=size.seconds + 30)
        assert done.returncode == 0, f"{' '.join(map(str, args))}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    return call


def test_anonymous(pressed, size):
    assert "right" in pressed("--anon", f"{4 * size.memory}M")


def test_anonymous_at_random(pressed, size):
    assert "right" in pressed("--anon", f"{size.memory * 3 // 2}M", order="both")


def test_mapped_disk(pressed, ahead):
    assert "right" in pressed("--file", "/dev/vda", options=ahead)


def test_mapped_disk_read_by_pread(pressed):
    assert "right" in pressed("--file", "/dev/vda", "--pread")


def test_anonymous_beside_locked_memory(pressed, size):
    """Their pages never leave, and their owner never faults."""
    assert "held" in pressed("--anon", f"{2 * size.memory}M", "--hold", f"{size.memory // 2}M")


def test_mapped_disk_beside_locked_memory(pressed, size, ahead):
    assert "held" in pressed("--file", "/dev/vda", "--hold", f"{size.memory // 2}M", options=ahead)


def test_locked_on_fault(pressed, size):
    """What was touched never leaves; what was not has no memory, be it as much as there is."""
    assert "held" in pressed("--anon", f"{2 * size.memory}M", "--hold", f"{size.memory}M", "--onfault")


def test_munlock_makes_reclaimable(pressed, size):
    out = pressed("--anon", f"{size.memory}M", "--hold", f"{size.memory // 2}M", "--release")
    assert "left after munlock" in out and "right" in out


def orders_at_random():
    """Some of the orders 2 to 9, one of them in any case."""
    return random.randrange(1, 1 << 8) << 2


@pytest.mark.parametrize("cpus", [1, 4])
@pytest.mark.parametrize("orders", ["2M", "all", "random"])
def test_large_folios(request, orders, cpus):
    """Of all anonymous memory, beside locks whose ends lie within folios."""
    full = request.config.getoption("--soak")
    if request.config.getoption("--quick") or (orders, cpus) in (("all", 1), ("2M", 4)) and not full:
        pytest.skip("only with --soak")
    size = FULL if full else SMALL
    mask = {"2M": 512, "all": 1020}.get(orders) or orders_at_random()
    argv = run_argv("faultline", "--mem", f"{size.memory}M", "--smp", cpus, "--swap", f"{8 * size.memory}M", "--timeout", size.seconds,
                    "--knob", "thp=always", "--knob", f"mthp.orders={mask}", "--", MEMCHECK, "--passes", size.passes, "--processes", cpus,
                    "--order", size.order, "--anon", f"{2 * size.memory}M", "--hold", f"{1028 * size.memory // 4}K")  # fmt: skip
    done = subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=size.seconds + 30)
    assert done.returncode == 0 and "held" in done.stdout, f"mthp.orders={mask}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("cpus", [1, 4])
@pytest.mark.parametrize("where", ["anonymous", "disk"])
def test_debug_kernel(request, where, cpus):
    """With lock-order checking, and every invariant checked after each call."""
    if request.config.getoption("--quick"):
        pytest.skip("too long for --quick")
    what = ["--anon", "96M"] if where == "anonymous" else ["--file", "/dev/vda"]
    argv = run_argv("faultline", "--debug", "--mem", "64M", "--smp", cpus, "--disk", "128M", "--swap", "512M", "--timeout", 200, "--",
                    MEMCHECK, "--passes", 1, "--order", "sequential", "--processes", cpus, "--hold", "32M", *what)  # fmt: skip
    done = subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=230)
    assert done.returncode == 0 and "right" in done.stdout, done.stdout + done.stderr


RETURNED = """
memcheck --anon {anon}M --passes 1 --order sequential || exit 1
swapoff /dev/vda || exit 1
grep -E '^(SwapTotal|SwapCached|Unevictable|Mlocked):' /proc/meminfo
dmesg 2>/dev/null | grep -c BUG
"""


def test_all_is_given_back(kernel, size):
    """After the processes have gone there is nothing in swap, and nothing locked."""
    script = RETURNED.format(anon=2 * size.memory)
    argv = run_argv(kernel, "--mem", f"{size.memory}M", "--swap", f"{8 * size.memory}M", "--file", f"{MEMCHECK}:/bin/memcheck",
                    "--", "busybox", "sh", "-c", script)  # fmt: skip
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=size.seconds)
    figures = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if ":" in line and line.endswith("kB")}
    assert figures == {"SwapTotal:": "0", "SwapCached:": "0", "Unevictable:": "0", "Mlocked:": "0"}, done.stdout + done.stderr


# ---- the program itself, natively: it must see what is wrong ----


def native(*args):
    return subprocess.run([MEMCHECK, *map(str, args)], capture_output=True, text=True, timeout=60)


def test_a_wrong_byte_is_found(tmp_path):
    path = tmp_path / "file"
    assert native("--file", path, "--size", "1M", "--passes", 1).returncode == 0
    assert native("--file", path, "--passes", 1, "--verify").returncode == 0
    contents = bytearray(path.read_bytes())
    contents[4096 * 7 + 123] ^= 0x10
    path.write_bytes(contents)
    done = native("--file", path, "--passes", 1, "--verify", "--order", "sequential")
    assert done.returncode == 1
    assert "page 7: wrong byte at 0x" in done.stdout and "07b: expected" in done.stdout
    assert "a part of the page is wrong" in done.stdout


@pytest.mark.parametrize("source, story", [(None, "all zeroes"), (3, "another page's contents")])
def test_a_wrong_page_is_explained(tmp_path, source, story):
    path = tmp_path / "file"
    native("--file", path, "--size", "1M", "--passes", 1)
    contents = bytearray(path.read_bytes())
    contents[4096 * 9 : 4096 * 10] = bytes(4096) if source is None else contents[4096 * source : 4096 * (source + 1)]
    path.write_bytes(contents)
    done = native("--file", path, "--passes", 1, "--verify")
    assert done.returncode == 1 and story in done.stdout


def test_a_page_of_the_pass_before_is_explained(tmp_path):
    path = tmp_path / "file"
    native("--file", path, "--size", "64K", "--passes", 1)
    done = native("--file", path, "--passes", 2, "--verify")
    assert done.returncode == 1 and "what the pass before wrote" in done.stdout


def test_holding_natively():
    assert "looked at" in native("--anon", "1M", "--hold", "1M").stdout
    assert native("--anon", "1M", "--hold", "1M", "--onfault").returncode == 0
    done = native("--anon", "1M", "--hold", "1M", "--release")  # nothing presses here
    assert done.returncode == 1 and "0 of the holder's 256 pages" in done.stdout


@pytest.mark.parametrize("arguments, status", [(["--help"], 0), ([], 2), (["--anon", "1M", "--file", "x"], 2), (["--anon", "x"], 2),
                                               (["--anon", "1M", "--release"], 2), (["--anon", "1M", "--order", "x"], 2),
                                               (["--file", "/nowhere/x"], 3)])  # fmt: skip
def test_usage(arguments, status):
    assert native(*arguments).returncode == status
