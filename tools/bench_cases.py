# SPDX-License-Identifier: MIT
"""user/mmbench in a machine of its own, and what it prints, as figures. For tools/bench.py and tools/bench_guard.py.

mmbench prints "case NAME median M mean X n COUNT" for each case, or "case NAME unsupported"; other lines are ignored.
"""

import math
import os
import re
import subprocess
import sys
from collections import namedtuple

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

Figure = namedtuple("Figure", "median mean n")
# The cases about large folios, and what Faultline needs for them where it does not hand them out unasked.
THP, THP_KNOB = "thp.", "thp=madvise"
ABSENT = None  # in place of a figure: the kernel does not have what the case measures


class BenchError(Exception):
    """Says what went wrong, for the user."""


def parse(text):
    """{case: Figure or ABSENT}, in the order they came in."""
    cases = {}
    for line in text.splitlines():
        words = line.split()
        if words[:1] != ["case"] or len(words) < 3:
            continue
        if words[2] == "unsupported":
            cases[words[1]] = ABSENT
        elif len(words) == 8 and words[2::2] == ["median", "mean", "n"]:
            cases[words[1]] = Figure(float(words[3]), float(words[5]), int(words[7]))
        elif words[2] == "failed":
            raise BenchError(f"{words[1]} failed: {line}")
    return cases


def names(program):
    """The cases there are."""
    return subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def argv(build_dir, kernel, prefix="", mem="1G", icount=True, knobs=(), timeout=1200):
    """The command, to be called in the program's folder: in the guest its path is always /mmbench, because what
    exec copies counts too."""
    words = [f"{TOP}/run", "--no-build", "--build-dir", os.path.abspath(build_dir), "--kernel", kernel, "--console", "--mem", mem]
    words += ["--timeout", str(timeout)] + ["--icount"] * icount
    words += [word for knob in knobs if kernel == "faultline" for word in ("--knob", knob)]
    return words + ["--", "./mmbench"] + (["--case", prefix] if prefix else [])


def measure(build_dir, kernel, on_case=lambda count: None, **how):
    """{case: Figure or ABSENT}. Calls on_case(count) as they come in. Large folios are off but in the cases about them,
    which have a boot of their own if need be."""
    cases = measure_boot(build_dir, kernel, on_case, **how)
    large = [name for name, figure in cases.items() if name.startswith(THP) and figure is ABSENT]
    if kernel == "faultline" and large:
        knobs = [*how.pop("knobs", []), THP_KNOB]
        cases |= measure_boot(build_dir, kernel, **{**how, "prefix": how.get("prefix") or THP}, knobs=knobs)
    return cases


def measure_boot(build_dir, kernel, on_case=lambda count: None, **how):
    command = argv(build_dir, kernel, **how)
    run = subprocess.Popen(command, cwd=os.path.join(build_dir, "user"), env={**os.environ, "TERM": "linux"},
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")  # fmt: skip
    lines = []
    with run:
        for line in run.stdout:
            lines.append(line)
            if line.startswith("case "):
                on_case(sum(1 for seen in lines if seen.startswith("case ")))
    text = "".join(lines)
    if run.returncode:
        raise BenchError(f"mmbench ended with status {run.returncode} on {kernel}; what it said last:\n" + "".join(lines[-15:]))
    if how.get("icount", True) and not re.search(r"^check 100 nops 100 ", text, re.MULTILINE):
        raise BenchError(f"the time-stamp counter does not count instructions on {kernel}: {lines[:1]}")
    return parse(text)


def geometric_mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def linux_version(image):
    """What the header of a bzImage says that it is, without who built it."""
    with open(image, "rb") as f:
        head = f.read(0x10000)
    at = int.from_bytes(head[0x20E:0x210], "little") + 0x200
    text = head[at : head.find(b"\0", at)].decode(errors="replace")
    return re.sub(r" \([^)]*@[^)]*\)", "", text)


def first_line(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def compiler(build_dir):
    """What the kernel in there was built with: the first word of its flags."""
    with open(os.path.join(build_dir, "flags"), encoding="utf-8") as f:
        return first_line(f.read().split()[0], "--version")


def our_version():
    return first_line("git", "-C", TOP, "describe", "--always", "--dirty")


def qemu_version():
    return first_line(os.environ.get("QEMU", "qemu-system-x86_64"), "--version")


class Progress:
    """A line on standard error that is overwritten when that is a terminal, else one line a step."""

    def __init__(self):
        self.live = sys.stderr.isatty()

    def step(self, text):
        print(text if not self.live else f"\r\033[K{text}", end="" if self.live else "\n", file=sys.stderr, flush=True)

    def within(self, text):
        if self.live:
            self.step(text)

    def done(self):
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
