#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The differential storm: user/mlockstorm on this Linux and on Faultline must print the same.

Runs seeds until the time is up, as root and as an ordinary user in turn, on the release and the debug kernel; ends at
the first difference with a diff and the commands that repeat it. tests/test_storm.py uses the same functions.
"""

import argparse
import difflib
import os
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("O", os.path.join(TOP, "build"))
DIFF_LINES = 40


class Broken(Exception):
    """A storm that did not run to its end."""


def command(arguments, debug=None):
    """debug None: natively; else on Faultline's release or debug kernel."""
    program = [os.path.join(BUILD, "user", "mlockstorm"), *map(str, arguments)]
    if debug is None:
        return program
    return [os.path.join(TOP, "run"), "--no-build", "--build-dir", BUILD, *(["--debug"] if debug else []), "--", *program]


def output(arguments, debug=None, timeout=600):
    argv = command(arguments, debug)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        raise Broken(f"{' '.join(argv)}: status {done.returncode}\n{text[-2000:]}{done.stderr.decode(errors='replace')}")
    return text.splitlines()


def first_difference(here, there):
    """The number of the first epoch whose digest differs, or None."""
    for mine, other in zip(here, there):
        if mine != other:
            return int(mine.split()[0])
    if len(here) != len(there):
        raise Broken(f"{len(here)} epochs on Linux, {len(there)} on Faultline")
    return None


def explain(seed, epoch, mode, debug):
    """What the two kernels do differently in one epoch, as text."""
    once = ["--seed", seed, "--first", epoch, "--epochs", 1, *mode]
    diff = list(difflib.unified_diff(output(once), output(once, debug), "Linux", "Faultline", n=12, lineterm=""))
    where = [f"seed {seed}, epoch {epoch}{' --user' if mode else ''} differs; to repeat:",
             f"  {' '.join(command(once))}", f"  {' '.join(command(once, debug))}"]  # fmt: skip
    return "\n".join(where + diff[:DIFF_LINES])


def compare(seed, epochs, user=False, debug=False):
    """"" when both kernels print the same, else the explanation."""
    mode = ["--user"] if user else []
    many = ["--seed", seed, "--epochs", epochs, "--digest", *mode]
    epoch = first_difference(output(many), output(many, debug))
    return "" if epoch is None else explain(seed, epoch, mode, debug)


def main():
    global BUILD
    ap = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    ap.add_argument("--build-dir", default=BUILD, metavar="DIR")
    ap.add_argument("--seconds", type=float, default=3600, metavar="S", help="how long (default 3600)")
    ap.add_argument("--seed", type=int, default=1, metavar="N", help="the first seed (default 1)")
    ap.add_argument("--epochs", type=int, default=500, metavar="N", help="epochs of each seed (default 500)")
    args = ap.parse_args()
    BUILD = os.path.abspath(args.build_dir)
    end, seed = time.monotonic() + args.seconds, args.seed
    while time.monotonic() < end:
        user, debug = bool(seed & 1), seed % 4 >= 2
        print(f"storm: seed {seed}{' --user' if user else ''}{' --debug' if debug else ''}, {args.epochs} epochs", flush=True)
        if report := compare(seed, args.epochs, user, debug):
            sys.exit(report)
        seed += 1


if __name__ == "__main__":
    main()
