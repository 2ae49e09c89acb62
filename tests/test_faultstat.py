# SPDX-License-Identifier: MIT
"""user/faultstat: natively, on the distribution's kernel and here; and /proc/faultstat behind it."""

import os
import re
import subprocess

import pexpect
import pytest
from conftest import BUILD

FAULTSTAT = os.path.join(BUILD, "user", "faultstat")

# 1000 new pages, 500 times the zero page, 200 copies; then status 3.
FAULTS = r"""
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile char *map(long pages)
{
	char *p = mmap(0, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p, pages * 4096, 15 /* MADV_NOHUGEPAGE */);
	return p;
}
int main(void)
{
	volatile char *a = map(1000), *b = map(500);
	for (int i = 0; i < 1000; i++)
		a[i * 4096L] = 1;
	for (int i = 0; i < 500; i++)
		b[i * 4096L];
	if (!fork()) {
		for (int i = 0; i < 200; i++)
			a[i * 4096L] = 2;
		_exit(0);
	}
	wait(0);
	return 3;
}
"""


def native(*args, **keywords):
    return subprocess.run([FAULTSTAT, *map(str, args)], capture_output=True, text=True, timeout=60, **keywords)


def sums(text):
    """{column: number or None} of the last line, by the last heading."""
    lines = [line.replace("|", " ").split() for line in text.splitlines()]
    titles = [words for words in lines if words[:2] == ["fault", "major"]][-1]
    return {title: None if word == "-" else float(word.rstrip("MG")) for title, word in zip(titles, lines[-1])}


def phases(done):
    assert done.returncode == 0, done.stderr
    return {name: (int(times), int(ticks)) for name, times, ticks in re.findall(rb"^(\w+) (\d+) (\d+)$", done.stdout, re.M)}


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    path = tmp_path_factory.mktemp("faultstat") / "faults"
    subprocess.run(["musl-gcc", "-O1", "-static", "-x", "c", "-o", path, "-"], input=FAULTS.encode(), check=True)
    return path


def test_known_faults(run, kernel, faults):
    done = run("--icount", "--file", f"{faults}:/bin/faults", "--", FAULTSTAT, "--total", "--", "faults")
    assert (done.returncode, done.stderr) == (3, b"")
    seen = sums(done.stdout.decode())
    assert 1700 <= seen["fault"] <= 2100
    if kernel == "linux":
        assert seen["anon"] is None and "lookup" not in seen
        return
    assert (1000 <= seen["anon"] <= 1100, 500 <= seen["zero"] <= 510, 200 <= seen["cow"] <= 260) == (True, True, True), seen
    assert (seen["major"], seen["ms"]) == (0, 0)
    # Instructions: 512 and some to zero a page; a fault is its phases, getting there and back, and the lock.
    assert 512 <= seen["zeroing"] <= 700 and 20 <= seen["lookup"] <= 300 and 20 <= seen["install"] <= 400, seen
    assert seen["lookup"] + 300 < seen["all"] < 2000, seen


SWITCHING = """
cd /tmp
cat /proc/faultstat >before; echo on >/proc/faultstat; head -n 1 /proc/faultstat; faults; cat /proc/faultstat >with
echo off >/proc/faultstat; cat /proc/faultstat >off; faults; cat /proc/faultstat >later
head -n 1 later; cmp off later && cat with
echo maybe >/proc/faultstat
grep -c '0 0$' before
"""


def test_proc_file(run, kernel, faults):
    if kernel == "linux":
        pytest.skip("Linux has no such file")
    done = run("--file", f"{faults}:/bin/faults", "--", "busybox", "sh", "-c", SWITCHING)
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("# on; ") and lines[1].startswith("# off; ") and lines[-1] == "5", done
    assert b"Invalid argument" in done.stderr
    counts = {words[0]: int(words[1]) for words in map(str.split, lines[3:-1])}
    assert 1700 <= counts["fault"] <= 3000 and counts["lookup"] >= counts["folio"] >= counts["install"] >= counts["zero"] >= 1000


BOTH = """
cd /sys/kernel/tracing
echo 1 >events/fault/fault_phase/enable
faultstat --total -- faults
grep -c fault_phase: trace
grep -c 'page_fault_user:\\|fault_exit:' trace
"""


def test_beside_tracing(run, kernel, faults):
    """What is only counted is not recorded, and what is recorded is counted."""
    if kernel == "linux":
        pytest.skip("about /proc/faultstat")
    done = run("--file", f"{faults}:/bin/faults", "--file", f"{FAULTSTAT}:/bin/faultstat", "--", "busybox", "sh", "-c", BOTH)
    *text, recorded, others = done.stdout.decode().splitlines()
    assert sums("\n".join(text))["lookup"] > 0 and int(recorded) > 3000 and others == "0"


def test_lock_waits(run, kernel):
    if kernel == "linux":
        pytest.skip("Linux does not count them")
    stall = os.path.join(BUILD, "user", "lockstall")
    done = run("--icount", "--knob", "populate=under_write_lock", "--file", f"{stall}:/bin/lockstall", "--",
               FAULTSTAT, "--total", "--", "lockstall", "--size", 16, "--pause", 200, "stall")  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = sums(done.stdout.decode())
    assert seen["read"] + seen["write"] > 0 and seen["ms"] > 1, seen


def test_who_may_not_switch_it_on(run, kernel):
    if kernel == "linux":
        pytest.skip("about /proc/faultstat")
    done = run("--user", 65534, "--", FAULTSTAT, "0.1", "2")
    assert done.returncode == 0 and b"fault" in done.stdout and b"lookup" not in done.stdout


def test_lines_and_streams():
    done = native("0.05", "3")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and "\033" not in done.stdout
    assert lines[0].startswith("  faults ") and lines[1].split()[:2] == ["fault", "major"]
    assert len(lines) == 2 + 3 + 2 and lines[5].startswith("in 0.")
    assert native("--total", "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert native("--", "/no/such/program").returncode == 127


def test_terminal():
    """Colour, and Ctrl-C ends it with the sums."""
    child = pexpect.spawn(FAULTSTAT, ["0.2"], timeout=30, encoding="utf-8", dimensions=(24, 140))
    child.expect("major")
    child.expect(r"\033\[2m *0\033\[0m")
    child.sendcontrol("c")
    child.expect(r"in \d+\.\d s:")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize("arguments, status", [(["--help"], 0), (["x"], 2), (["0"], 2), (["1", "0"], 2), (["1", "2", "3"], 2), (["--no"], 2), (["--"], 2)],
                         ids=lambda p: " ".join(p) if isinstance(p, list) else "")  # fmt: skip
def test_usage(arguments, status):
    done = native(*arguments)
    assert done.returncode == status
    assert (done.stdout if status == 0 else done.stderr).find("usage: faultstat") >= 0
