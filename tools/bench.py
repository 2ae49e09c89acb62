#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same benchmark program (user/mmbench) on Faultline and on the distribution's Linux in the same QEMU: one table with
ratios.

Counted are guest instructions: each case's median of many operations. They are exact, and every run must give the
same. --wall measures time instead, the kernels in turn, A B A B, so that a busy host meets both; believe no
ratio of time that is closer to 1 than its lowest and highest are to each other.
"""

import argparse
import os
import statistics
import sys

import bench_cases
import knobs
from bench_cases import ABSENT, TOP, BenchError, geometric_mean

KERNELS = {"faultline": "Faultline", "linux": "Linux"}
LEAN = os.path.join(TOP, "tests", "bench", "linux-lean")


def number(value):
    if value is None:
        return "–"
    return f"{value:,.1f}" if value < 100 and value != int(value) else f"{value:,.0f}"


def ratio(a, b):
    return a / b if a is not None and b else None


def ratio_text(value):
    return "–" if value is None else f"{value:.2f}"


def recorded(path=LEAN):
    """{case: median}"""
    with open(path, encoding="utf-8") as f:
        rows = [line.split() for line in f if line.strip() and not line.startswith("#")]
    return {name: float(median) for name, median in rows}


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))


def all_names(runs):
    """The cases, in Linux's order when it has run."""
    lists = [list(run) for kernel in ("linux", "faultline") for run in runs.get(kernel, [])]
    return list(dict.fromkeys(name for one in lists for name in one))


# ---- running ----


def measure_all(args):
    """{kernel: [cases of each run]}, the kernels in turn."""
    total = len([n for n in bench_cases.names(args.program) if n.startswith(args.case)])
    progress, runs = bench_cases.Progress(), {kernel: [] for kernel in args.kernels}
    for n in range(args.runs):
        for kernel in args.kernels:
            what = f"{KERNELS[kernel]}, run {n + 1} of {args.runs}"
            progress.step(f"bench: {what}")
            runs[kernel].append(bench_cases.measure(
                args.build_dir, kernel, lambda count, what=what: progress.within(f"bench: {what}: {count} of {total} cases"),
                prefix=args.case, mem=args.mem, icount=not args.wall, knobs=args.knob, timeout=args.timeout))  # fmt: skip
    progress.done()
    return runs


# ---- instructions ----


def disagreements(runs):
    """The cases whose figures are not those of the first run, as text."""
    for kernel, results in runs.items():
        for n, result in enumerate(results[1:], 2):
            for name in {**results[0], **result}:
                a, b = results[0].get(name), result.get(name)
                if a != b:
                    yield f"{KERNELS[kernel]}, {name}: {a} in run 1, {b} in run {n}"


def cells(figure):
    return ["not there", "–"] if figure is ABSENT else [number(figure.median), number(figure.mean)]


def instruction_rows(runs, lean):
    """The table, and for each comparison its ratios by case."""
    ours, linux = runs["faultline"][0], runs.get("linux", [{}])[0]
    rows = [("case", "Faultline", "mean", "Linux", "mean", "F / Linux", "lean", "F / lean")]
    ratios = {"Linux": {}, "lean": {}, "Linux / lean": {}}
    for name in all_names(runs):
        a, b, least = ours.get(name, ABSENT), linux.get(name, ABSENT), lean.get(name)
        medians = [figure.median if figure else None for figure in (a, b)]
        pair = ratio(*medians), ratio(medians[0], least)
        rows.append((name, *cells(a), *cells(b), ratio_text(pair[0]), number(least), ratio_text(pair[1])))
        for against, value in zip(ratios, (*pair, ratio(medians[1], least))):
            if value:
                ratios[against][name] = value
    return rows, ratios


def report_instructions(args, runs):
    rows, ratios = instruction_rows(runs, recorded())
    print_table(rows)
    print()
    describe(args)
    mean = geometric_mean(list(ratios["Linux / lean"].values()))
    print("lean       not measured now: recorded figures of a Linux 6.1 that was built for one class of CPUs without cgroups,\n"
          "           security modules, mitigations, hardening, NUMA and tracing, the fastest that one can fairly build"
          + (f".\n           The Linux of this table takes {mean:.2f} times as many instructions (geometric mean)" if mean else ""))  # fmt: skip
    for against in ("Linux", "lean"):
        some = ratios[against]
        if some:
            above = [f"{name} {value:.2f}" for name, value in some.items() if value > 1]
            print(f"F / {against}".ljust(10), f"{geometric_mean(list(some.values())):.3f}: geometric mean of {len(some)} cases; above 1:",
                  ", ".join(above) or "none")  # fmt: skip
    print_absent(runs)
    wrong = list(disagreements(runs))
    print("\n".join(["repeats    NO: runs differ", *wrong] if wrong else [f"repeats    exactly, to the last digit, in {args.runs} runs"]
                    if args.runs > 1 else ["repeats    not checked: one run"]))  # fmt: skip
    return 1 if wrong else 0


# ---- time ----


def wall_rows(runs):
    """Medians of the runs' medians, and of each pair's ratio, with the lowest and the highest."""
    rows, ratios = [("case", *(KERNELS[k] for k in runs), *(("F / Linux", "lowest", "highest") if len(runs) > 1 else ()))], {}
    for name in all_names(runs):
        seen = {kernel: [run[name].median for run in results if run.get(name)] for kernel, results in runs.items()}
        row = [name, *(number(statistics.median(values)) if values else "not there" for values in seen.values())]
        if len(runs) > 1:
            pairs = [ratio(a, b) for a, b in zip(seen["faultline"], seen["linux"]) if a and b]
            row += [ratio_text(f(pairs)) for f in (statistics.median, min, max)] if pairs else ["–"] * 3
            if pairs:
                ratios[name] = statistics.median(pairs)
        rows.append(tuple(row))
    return rows, ratios


def report_wall(args, runs):
    rows, ratios = wall_rows(runs)
    print_table(rows)
    print()
    describe(args)
    if ratios:
        above = [f"{name} {value:.2f}" for name, value in ratios.items() if value > 1]
        print(f"F / Linux  {geometric_mean(list(ratios.values())):.3f}: geometric mean of {len(ratios)} cases; above 1: {', '.join(above) or 'none'}")
    print_absent(runs)
    return 0


# ---- both ----


def describe(args):
    settings = "".join(f" {knob}" for knob in args.knob)
    print(f"Faultline  {bench_cases.our_version()}{settings} ({bench_cases.THP_KNOB} in {bench_cases.THP}*), {bench_cases.compiler(args.build_dir)}")
    if "linux" in args.kernels:
        print(f"Linux      {bench_cases.linux_version(vmlinuz(args))}: the distribution's package as it is")
    unit = "ticks of the host's time-stamp counter" if args.wall else "guest instructions (-icount)"
    print(f"figures    {unit}, medians; {bench_cases.qemu_version()}, 1 CPU, {args.mem}")


def print_absent(runs):
    absent = [name for name in all_names(runs) if all(run.get(name, ABSENT) is ABSENT for run in runs["faultline"])]
    if absent:
        print(f"not there  on Faultline, so in no mean: {', '.join(absent)}")


def vmlinuz(args):
    return os.path.join(args.build_dir, "linux", "vmlinuz")


def parse_args():
    p = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n", 1)[1] +
                                "\nmake variables: CASE=PREFIX, WALL=1, RUNS=N; BENCH_ARGS takes the options below.",
                                formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    p.add_argument("--build-dir", default=os.environ.get("O", os.path.join(TOP, "build")), metavar="DIR")
    p.add_argument("--case", default="", metavar="PREFIX", help="only the cases whose names begin so")
    p.add_argument("--wall", action="store_true", help="time, not instructions")
    p.add_argument("--runs", type=int, metavar="N", help="of each kernel (default: 3; with --wall 5)")
    p.add_argument("--kernel", choices=KERNELS, help="only this one")
    p.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help="Faultline's (repeatable)")
    p.add_argument("--mem", default="1G", help="each machine's memory (default 1G)")
    p.add_argument("--timeout", type=float, default=1200, metavar="S", help="for each run (default 1200)")
    args = p.parse_args()
    args.runs = args.runs if args.runs is not None else 5 if args.wall else 3
    if knobs.check(args.knob):
        p.error(knobs.check(args.knob))
    if args.runs < 1:
        p.error("--runs wants a positive number")
    args.program = os.path.join(args.build_dir, "user", "mmbench")
    if not os.path.exists(args.program):
        p.error(f"{args.program} does not exist; `make user` builds it")
    if not any(name.startswith(args.case) for name in bench_cases.names(args.program)):
        p.error(f"no case begins with {args.case!r}; {os.path.relpath(args.program)} --list names them")
    args.kernels = [args.kernel] if args.kernel else list(KERNELS)
    if "linux" in args.kernels and not os.path.exists(vmlinuz(args)):
        p.error(f"{vmlinuz(args)} does not exist; `make bench` fetches it, --kernel faultline does without")
    return args


def main():
    args = parse_args()
    try:
        runs = measure_all(args)
    except BenchError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if args.wall or "faultline" not in runs:
        return report_wall(args, runs)
    return report_instructions(args, runs)


if __name__ == "__main__":
    sys.exit(main())
