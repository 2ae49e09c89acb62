#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The experiment of 2015 (user/lockbench) on Faultline and on the distribution's Linux in the same QEMU, from one disk: a
table beside the figures of the 2015 patch series, and a picture.

Small by default. --full is the size of 2015: 5 GiB and 15,000,000 accesses, which takes an hour or two and 14 GiB of memory.
With --figures a run that was interrupted goes on where it was.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from math import log10

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PICTURE = "lockbench.svg"
BEGIN, END = "<!-- figures: tools/lockbench_report.py -->", "<!-- end of figures -->"

# Eric B Munson, [PATCH v7 0/6] Allow user to request memory to be locked on page fault, 9 August 2015: milliseconds of
# set-up and processing, the mean of 20 runs.
PAPER = {
    "whole": (8228.666, 8274.257),
    "each": (0.113, 90993.552),
    "segv1": (0.058, 69488.073),
    "segv8": (0.068, 38204.116),
    "segv16": (0.044, 29671.180),
    "onfault": (0.189, 17904.899),
}
NAMES = {
    "none": "no lock",
    "whole": "mlock of the whole range",
    "onfault": "mlock2(MLOCK_ONFAULT)",
    "segv16": "SIGSEGV handler, 16 pages",
    "segv8": "SIGSEGV handler, 8 pages",
    "segv1": "SIGSEGV handler, 1 page",
    "each": "mlock before each access",
}
KERNELS = {"linux": "Linux", "faultline": "Faultline"}
COLOURS = {"2015": "#9aa0a6", "linux": "#e8a33d", "faultline": "#2f6f9f"}


def measure(kernel, strategies, cache, args, data):
    """One boot: yields (strategy, (set-up ms, processing ms)), the mean of its runs, as soon as they are over."""
    argv = [f"{TOP}/run", "--no-build", "--build-dir", args.build_dir, "--kernel", kernel, "--mem", args.mem, "--smp", str(args.smp),
            "--disk", f"{data},ro", "--timeout", str(args.timeout)]  # fmt: skip
    words = ["--file", "/dev/vda", "--csv", "--raise", f"--{cache}", "--runs", str(args.runs), "--accesses", str(args.accesses)]
    words += [word for strategy in strategies for word in ("--strategy", strategy)]
    if args.pressure:
        argv += ["--swap", args.swap]
        words += ["--pressure", args.pressure]
    with subprocess.Popen([*argv, "--", args.program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as guest:
        head, rows = guest.stdout.readline().strip().split(","), []
        for line in guest.stdout:
            rows.append(dict(zip(head, line.strip().split(","))))
            if len(rows) == args.runs and rows[-1]["data"] == "right":
                means = tuple(sum(float(row[column]) for row in rows) / args.runs for column in ("setup_ms", "processing_ms"))
                yield rows[-1]["strategy"], means
                rows = []
    if guest.returncode or rows:
        sys.exit(f"lockbench_report: status {guest.returncode} on {kernel}\n{rows}")


def measure_all(cache, args, data, seen):
    """{kernel: {strategy: figures}}. The kernels take turns, a strategy each, so that both have what the host does beside
    them. Goes on with what `seen` has, and says each figure as it comes: at full size this takes hours.
    """
    for name in NAMES:
        for kernel in KERNELS:
            figures = seen.setdefault(kernel, {})
            for strategy, pair in measure(kernel, [name], cache, args, data) if name not in figures else ():
                figures[strategy] = pair
                print(f"{cache} {strategy} {kernel}: {number(sum(pair))} ms", file=sys.stderr, flush=True)
                keep(args)
    return seen


def keep(args):
    if args.figures:
        with open(args.figures, "w", encoding="utf-8") as f:
            json.dump(args.kept, f, indent=1)


# ---- the table ----


def number(ms):
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:,.1f}" if ms >= 1 else f"{ms:.3f}"


def cells(pair):
    return [number(pair[0]), number(pair[1]), number(sum(pair))] if pair else ["–"] * 3


def table(seen):
    """Markdown. seen: {kernel: {strategy: (set-up, processing)}}"""
    head = ["strategy"] + [f"{who}: {what}" for who in ("2015", *KERNELS.values()) for what in ("set-up", "processing", "total")]
    lines = [head + ["Faultline / Linux"], ["---"] + ["---:"] * (len(head))]
    for name, text in NAMES.items():
        ratio = sum(seen["faultline"][name]) / sum(seen["linux"][name])
        row = [text, *cells(PAPER.get(name)), *cells(seen["linux"][name]), *cells(seen["faultline"][name]), f"{ratio:.2f}"]
        lines.append(row)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def order(totals):
    """The strategies of 2015, quickest first."""
    return " < ".join(sorted(PAPER, key=lambda name: sum(totals[name])))


# ---- the picture ----

WIDTH, LEFT, RIGHT, BAR, GROUP, HEAD = 760, 210, 70, 13, 52, 44


def picture(seen, title):
    """Bars of total time over a logarithmic axis; lengths are multiples of each series' quickest strategy of 2015."""
    series = {"2015": PAPER, **{kernel: seen[kernel] for kernel in KERNELS}}
    least = {who: min(sum(values[name]) for name in PAPER) for who, values in series.items()}
    factors = {(who, name): sum(values[name]) / least[who] for who, values in series.items() for name in PAPER}
    span = log10(max(factors.values()) * 1.2)
    names = [name for name in NAMES if name in PAPER]
    height = HEAD + GROUP * len(names) + 30
    scale = (WIDTH - LEFT - RIGHT) / span
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>', f'<text x="8" y="18" font-size="14">{title}</text>']  # fmt: skip
    for n, who in enumerate(series):
        x = LEFT + n * 110
        out.append(f'<rect x="{x}" y="27" width="10" height="10" fill="{COLOURS[who]}"/><text x="{x + 15}" y="36">{KERNELS.get(who, who)}</text>')
    for tick in (1, 2, 5, 10, 20, 50, 100):
        if log10(tick) < span:
            x = LEFT + log10(tick) * scale
            out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{HEAD}" y2="{height - 26}" stroke="#ddd"/>')
            out.append(f'<text x="{x:.0f}" y="{height - 10}" text-anchor="middle">{tick}×</text>')
    for row, name in enumerate(names):
        y = HEAD + row * GROUP
        out.append(f'<text x="{LEFT - 8}" y="{y + 28}" text-anchor="end">{NAMES[name]}</text>')
        for n, who in enumerate(series):
            length = max(log10(factors[who, name]) * scale, 2)
            top = y + 5 + n * (BAR + 1)
            out.append(f'<rect x="{LEFT}" y="{top}" width="{length:.0f}" height="{BAR}" fill="{COLOURS[who]}"/>')
            out.append(f'<text x="{LEFT + length + 4:.0f}" y="{top + 10}" font-size="10">{sum(series[who][name]) / 1000:.3g} s</text>')
    return "\n".join(out + ["</svg>", ""])


def write_docs(text, svg):
    path = os.path.join(TOP, "docs", "lockbench.md")
    with open(path, encoding="utf-8") as f:
        before, _, rest = f.read().partition(BEGIN)
    after = rest.partition(END)[2]
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"{before.rstrip()}\n\n{BEGIN}\n{text}\n{END}{after or chr(10)}")
    with open(os.path.join(TOP, "docs", PICTURE), "w", encoding="utf-8") as f:
        f.write(svg)


def parse_args():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n")[1],
                                formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    p.add_argument("--build-dir", default=os.environ.get("O", os.path.join(TOP, "build")))
    p.add_argument("--full", action="store_true", help="5G, 15000000 accesses, 8G of memory")
    p.add_argument("--size", default="64M", help="of the disk (default 64M)")
    p.add_argument("--accesses", type=int, default=187500, help="as many a page as in 2015 by default")
    p.add_argument("--mem", default="512M")
    p.add_argument("--smp", type=int, default=1)
    p.add_argument("--runs", type=int, default=3, help="of each strategy; their mean counts (default 3; with --full 1)")
    p.add_argument("--cache", action="append", choices=("warm", "cold"), help="default: both, one table each")
    p.add_argument("--pressure", metavar="BYTES", help="beside a process that keeps writing to so much memory")
    p.add_argument("--swap", default="2G", help="with --pressure")
    p.add_argument("--data", metavar="PATH", help="where the disk's contents are, or go (default: a temporary file)")
    p.add_argument("--figures", metavar="PATH", help="of the same arguments: those that are there are not measured again")
    p.add_argument("--timeout", type=float, default=7200)
    p.add_argument("--docs", action="store_true", help="put table and picture into docs/lockbench.md")
    args = p.parse_args()
    if args.full:
        args.size, args.accesses, args.mem, args.runs = "5G", 15000000, "8G", 1
    args.kept = {}
    if args.figures and os.path.exists(args.figures):
        with open(args.figures, encoding="utf-8") as f:
            args.kept = json.load(f)
    args.program = os.path.join(args.build_dir, "user", "lockbench")
    return args


def main():
    args = parse_args()
    what = f"{args.size}, {args.accesses:,} accesses, {args.smp} CPU{'s' * (args.smp > 1)}, {args.mem} of memory"
    what += f", {args.pressure} of pressure" if args.pressure else ""
    with tempfile.TemporaryDirectory(prefix="faultline-") as folder:
        data = args.data or os.path.join(folder, "data")
        if not os.path.exists(data):
            subprocess.run([args.program, "--make", "--file", data, "--size", args.size], check=True)
        sections, svg = [], ""
        for cache in args.cache or ["warm", "cold"]:
            seen = measure_all(cache, args, data, args.kept.setdefault(cache, {}))
            svg = svg or picture(seen, f"{what}, {cache} cache: total time, as a multiple of the quickest")
            orders = {"2015": order(PAPER), **{name: order(seen[kernel]) for kernel, name in KERNELS.items()}}
            lines = "\n".join(f"- {who}: {text}" for who, text in orders.items())
            sections.append(f"### {cache.capitalize()} cache: {what}\n\n{table(seen)}\n\nQuickest first:\n\n{lines}\n")
            print(sections[-1], flush=True)
    if args.docs:
        write_docs(f"\n## Figures\n\n![total times]({PICTURE})\n\n" + "\n".join(sections), svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
