#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs an experiment of experiments/ and writes its report: `make experiment E=name`.

Results are kept in $(O)/experiments/NAME/results.jsonl; what is there is not run again, so a run that was stopped
goes on where it was. The report is report.html beside it.
"""

import argparse
import os
import sys

import experiment_matrix
import experiment_run
from bench_cases import TOP
from experiment_matrix import ExperimentError

DOCS = os.path.join(TOP, "docs", "experiments")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    print(f"experiment: {os.path.relpath(path)}")


def report(e, args, folder, results):
    import experiment_report  # needs matplotlib, running does not

    page = experiment_report.render(e, args.build_dir, results)
    write(os.path.join(folder, "report.html"), page)
    if args.docs:
        write(os.path.join(DOCS, f"{e.name}.html"), page)
        rows, _ = experiment_report.collect(e, args.build_dir, results)
        for _, svg in experiment_report.plots(e, rows)[:1]:
            write(os.path.join(DOCS, f"{e.name}.svg"), svg)


def parse_args():
    p = argparse.ArgumentParser(prog="make experiment", description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n", 1)[1] +
                                "\nmake variables: E=NAME; EXPERIMENT_ARGS takes the options below.",
                                formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    p.add_argument("--build-dir", default=os.environ.get("O", os.path.join(TOP, "build")), metavar="DIR")
    p.add_argument("--list", action="store_true", help="which experiments there are")
    p.add_argument("--plan", action="store_true", help="print the points, run nothing")
    p.add_argument("--report-only", action="store_true", help="run nothing, write the report of what is there")
    p.add_argument("--fresh", action="store_true", help="forget what is there")
    p.add_argument("--docs", action="store_true", help="also put the report and its first plot into docs/experiments")
    p.add_argument("name", nargs="?", metavar="NAME", help="of experiments/NAME.toml, or the path of such a file")
    args = p.parse_args()
    if not args.name and not args.list:
        p.error("which one? E=NAME; there are: " + ", ".join(experiment_matrix.shipped()))
    return args


def main():
    args = parse_args()
    try:
        if args.list:
            for name in experiment_matrix.shipped():
                print(f"{name:<20} {experiment_matrix.load(name).title}")
            print("make experiment E=NAME runs one and writes its report; what each has found: docs/experiments.md")
            return 0
        e = experiment_matrix.load(args.name)
        if args.plan:
            print("\n".join(f"{point}, {e.repeats} run(s)" for point in e.points()))
            return 0
        folder = os.path.join(args.build_dir, "experiments", e.name)
        path = os.path.join(folder, "results.jsonl")
        if args.fresh and os.path.exists(path):
            os.unlink(path)
        results, failed = experiment_run.Results(path), 0
        if not args.report_only:
            failed = experiment_run.run_all(e, args.build_dir, results, say=lambda text: print(text, flush=True))
        report(e, args, folder, results)
    except ExperimentError as e:
        print(f"experiment: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("experiment: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
