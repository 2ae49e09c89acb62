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


def test_faults_do_not_wait_for_mappings():
    """p99 of four threads' faults while a fifth maps and unmaps, at most a fifth of that with mmap_lock alone, in turns in one
    run. On a host that runs others on its CPUs that may fail; once in three runs it does not."""
    seen = []
    for _ in range(3):
        seen.append(p99(run(*run_argv("faultline", "--smp", 5, "--", CONTEND, "--locks", "--map-pages", 64, "--seconds", 3))))
        if seen[-1]["vma-fault"] <= seen[-1]["mmap-fault"] / 5:
            return
    pytest.fail(f"p99 in us: {seen}")


@pytest.mark.parametrize("index", ["rbtree", "maple"])
def test_a_fault_among_many_vmas(index):
    """With 100,000 at most 1.3 times what it costs with 10."""
    cost = {}
    for areas in (10, 100000):
        text = run(*run_argv("faultline", "--icount", "--knob", f"vma.index={index}", "--", MMBENCH, "--areas", areas))
        cost[areas] = float(re.search(r"^case areas\.fault median ([\d.]+)", text, re.M)[1])
    assert cost[100000] <= 1.3 * cost[10], cost
