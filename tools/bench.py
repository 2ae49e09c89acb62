#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same benchmark program on Faultline and on the distribution's Linux, in the same QEMU, counted in guest
instructions: one table with ratios.

The program prints "case NAME median M mean M n COUNT" for each case; other lines are ignored.
"""

import argparse
import math
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def measure(kernel, args):
    argv = [f"{TOP}/run", "--no-build", "--build-dir", args.build_dir, "--icount", "--console", "--mem", args.mem]
    argv += ["--kernel", kernel, "--timeout", str(args.timeout), "--", args.program, *args.args]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    if done.returncode:
        sys.stderr.write(done.stdout)
        print(f"bench: status {done.returncode} on {kernel}", file=sys.stderr)
    cases = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words[:1] == ["case"] and words[2:5:2] == ["median", "mean"]:
            cases[words[1]] = (float(words[3]), float(words[5]))
    return cases


def figure(value):
    return "–" if value is None else f"{value:,.1f}" if value < 100 and value != int(value) else f"{value:,.0f}"


def table(ours, linux):
    rows = [("case", "Faultline", "mean", "Linux", "mean", "ratio")]
    ratios = []
    for name in list(linux) + [n for n in ours if n not in linux]:
        a, b = ours.get(name, (None, None)), linux.get(name, (None, None))
        ratio = a[0] / b[0] if a[0] is not None and b[0] else None
        if ratio:
            ratios.append(ratio)
        rows.append((name, *map(figure, (*a, *b)), f"{ratio:.2f}" if ratio is not None else "–"))
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    for row in rows:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"geometric mean of {len(ratios)} ratios: {mean:.2f}")


def main():
    p = argparse.ArgumentParser(description="the same program on both kernels, in guest instructions")
    p.add_argument("--build-dir", default=os.path.join(TOP, "build"))
    p.add_argument("--mem", default="1G")
    p.add_argument("--timeout", type=float, default=1200)
    p.add_argument("program")
    p.add_argument("args", nargs=argparse.REMAINDER)
    args = p.parse_args()
    ours, linux = measure("faultline", args), measure("linux", args)
    table(ours, linux)
    return 0 if ours and linux else 1


if __name__ == "__main__":
    sys.exit(main())
