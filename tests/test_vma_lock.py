# SPDX-License-Identifier: MIT
"""What the locks of single vmas are for: threads that fault do not wait for one that maps and unmaps elsewhere. And what a
fault costs in an address space with many vmas.
"""

import os
import re
import subprocess

import pytest
from conftest import BUILD, run_argv

CONTEND = os.path.join(BUILD, "user", "contend")
MMBENCH = os.path.join(BUILD, "user", "mmbench")


def run(*argv, timeout=300):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def p99(text):
    return {who: float(us) for who, us in re.findall(r"^(\w+-fault): .*p99_us=([\d.]+)", text, re.M)}


@pytest.mark.parametrize("cpus, pages, pause, seconds", [(1, 4096, 100, 2), (5, 1024, 50, 0.2)])
def test_faults_do_not_wait_for_mappings(cpus, pages, pause, seconds):
    """p99 of four threads' faults while a fifth maps an area over what it mapped before, at most a fifth of that with
    mmap_lock alone, in turns in one run. Instructions are the time. On one CPU who has the lock for writing gives the CPU
    away between two page tables; on five each thread has its own."""
    seen = p99(run(*run_argv("faultline", "--icount", "--smp", cpus, "--", CONTEND, "--locks", "--replace",
                             "--map-pages", pages, "--pause", pause, "--seconds", seconds)))  # fmt: skip
    assert seen["vma-fault"] <= seen["mmap-fault"] / 5, seen


@pytest.mark.parametrize("index", ["rbtree", "maple"])
def test_a_fault_among_many_vmas(index):
    """The first one in its vma: with 100,000 of them at most 1.3 times what it costs with 10."""

    def cost(case, *arguments):
        text = run(*run_argv("faultline", "--icount", "--knob", f"vma.index={index}", "--", MMBENCH, *arguments))
        return float(re.search(rf"^case {case} median ([\d.]+)", text, re.M)[1])

    few, many = cost(r"vma\.00010_fault", "--case", "vma.00010"), cost(r"areas\.fault", "--areas", 100000)
    assert many <= 1.3 * few, (few, many)
