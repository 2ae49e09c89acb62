# SPDX-License-Identifier: MIT
"""The host tests of tests/host: lib/ and mm/ on a simulated machine, built by `make host-build`."""

import glob
import os
import re
import subprocess

import pytest
from conftest import BUILD, TOP

PROGRAMS = sorted(p for p in glob.glob(os.path.join(BUILD, "host", "*", "t_*")) if not p.endswith(".d"))
ENVIRONMENT = {
    **os.environ,
    "ASAN_OPTIONS": "detect_leaks=1:handle_abort=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def test_host_programs_are_built():
    sources = glob.glob(os.path.join(TOP, "tests", "host", "*", "t_*.c"))
    built = {os.path.basename(p) for p in PROGRAMS}
    assert {os.path.basename(s)[:-2] for s in sources} <= built


@pytest.mark.parametrize("model", sorted(glob.glob(os.path.join(TOP, "tests", "model", "*.pml"))), ids=os.path.basename)
def test_model(model, tmp_path):
    done = subprocess.run([os.path.join(TOP, "tests", "model", "check"), model, str(tmp_path)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stdout.decode(errors="replace")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: os.path.relpath(p, os.path.join(BUILD, "host")))
def test_host_unit(program):
    done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300, env=ENVIRONMENT)  # fmt: skip
    output = done.stdout.decode(errors="replace")
    seed = re.search(r"^SEED=\d+", output, re.M)
    assert done.returncode == 0, f"{output}\nto repeat: {seed[0] + ' ' if seed else ''}{program}"
    assert "[       OK ]" in output
