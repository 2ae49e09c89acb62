#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keeps the figures of `make bench` from growing unseen: tests/bench/expected has a line for each case of user/mmbench on
Faultline, in guest instructions. check (in `make test`) fails when a median has grown by over 3 %, a mean by over 10 %,
or a case has gone; update (`make bench-update`) writes the file anew, which then belongs to the same commit.

Another compiler makes other code: then a median may be 15 % higher, a mean 25 %.
"""

import argparse
import os
import sys

import bench_cases
from bench_cases import ABSENT, TOP, BenchError, Figure

EXPECTED = os.path.join(TOP, "tests", "bench", "expected")
MEM = "512M"
SAME, OTHER = (1.03, 1.10), (1.15, 1.25)  # what median and mean may grow by
HEAD = """\
# What each case of user/mmbench costs on Faultline: guest instructions, median and mean. `make bench-update` writes this
# file; `make test` fails when a figure has grown and the file has not.
# compiler {compiler}
"""


def render(cases, compiler):
    lines = [f"{name} absent" if figure is ABSENT else f"{name} {figure.median:.1f} {figure.mean:.1f}" for name, figure in cases.items()]
    return HEAD.format(compiler=compiler) + "\n".join(lines) + "\n"


def load(text):
    """(cases, compiler)"""
    cases, compiler = {}, ""
    for line in text.splitlines():
        words = line.split()
        if words[:2] == ["#", "compiler"]:
            compiler = " ".join(words[2:])
        elif words and words[0] != "#":
            cases[words[0]] = ABSENT if words[1] == "absent" else Figure(float(words[1]), float(words[2]), 0)
    return cases, compiler


def change(name, kind, before, now):
    return f"{name}: {kind} {before:,.1f} -> {now:,.1f} ({(now / before - 1) * 100:+.1f} %)"


def compare(expected, seen, limits=SAME):
    """(what is worse, what is better or new), as text."""
    worse, better = [], []
    for name, now in seen.items():
        before = expected.get(name, ABSENT)
        if now is ABSENT:
            if before is not ABSENT:
                worse.append(f"{name}: was {before.median:,.1f} and is not there any more")
        elif before is ABSENT:
            better.append(f"{name}: new")
        else:
            for kind, limit in zip(("median", "mean"), limits):
                a, b = getattr(before, kind), getattr(now, kind)
                if b > a * limit:
                    worse.append(change(name, kind, a, b))
                elif b * limit < a:
                    better.append(change(name, kind, a, b))
    worse += [f"{name}: has not run" for name in expected if name not in seen]
    return worse, better


def measure(build_dir):
    return bench_cases.measure(build_dir, "faultline", mem=MEM, timeout=300)


def check(build_dir):
    """As compare()."""
    with open(EXPECTED, encoding="utf-8") as f:
        expected, compiler = load(f.read())
    return compare(expected, measure(build_dir), SAME if compiler == bench_cases.compiler(build_dir) else OTHER)


def update(build_dir):
    text = render(measure(build_dir), bench_cases.compiler(build_dir))
    with open(EXPECTED, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--build-dir", default=os.environ.get("O", os.path.join(TOP, "build")))
    p.add_argument("what", choices=("check", "update"))
    args = p.parse_args()
    try:
        worse, better = check(args.build_dir)
        print("\n".join([*(f"better  {line}" for line in better), *(f"WORSE   {line}" for line in worse)]) or "bench: as expected")
        if args.what == "update":
            update(args.build_dir)
            return 0
    except BenchError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
