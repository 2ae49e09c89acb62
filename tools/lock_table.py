#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/lock-transitions.md: what each operation makes of an unlocked, a locked and a locked-on-fault mapping.

The table is what tests/user/mlock_transitions measures on the kernel that runs it: this machine's Linux, natively.
With --check nothing is written and a stale file is an error; where memory cannot be locked as the test needs it
(an ordinary user's limit), --check says so and passes.
"""

import argparse
import pathlib
import subprocess
import sys

TARGET = pathlib.Path(__file__).resolve().parent.parent / "docs/lock-transitions.md"

HEAD = """# What becomes of a lock

Made by `make docs` from what `tests/user/mlock_transitions.c` measures; do not edit. `make test` holds both
kernels to the same table.

Before: four pages of writable private memory, the first present, the others not, in the state U, L or F.

| letter | VMA flags | meaning |
|---|---|---|
| U | | unlocked |
| L | lo | locked: its pages are faulted in by the call that locks it, and stay |
| F | lo lf | locked on fault: nothing is faulted in, but what comes stays |
| - | | not mapped |

Each cell: the state of every page from the start of the mapping afterwards, VmLck in pages (what is locked elsewhere
subtracted), and how many of the pages are present. The last column is what a new mapping becomes after the operation:
L, F, or nothing.

"""

TAIL = """
Reading it:

- F never stands without L's flag: locked on fault modifies a lock, it is no second kind of one.
- A call that locks faults in what is absent, also when the mapping was locked already; nothing else does, but a change
  from read-only to writable (which must break copy-on-write now, not in a fault) and growth by mremap or brk.
- mlockall replaces what future mappings become; it never adds to it.
- A lock belongs to the mapping: it moves and grows with it, it ends with it, and a child does not inherit it.
- VmLck counts the pages of locked mappings, present or not. Linux 6.15 and later leave the length of a
  mapping moved with DONTUNMAP in VmLck twice; 6.1 does not, and neither do we.
"""


def table(program):
    done = subprocess.run([program, "--markdown"], stdout=subprocess.PIPE, check=False)
    return done.stdout.decode() if done.returncode == 0 else None


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("program", help="tests/user/mlock_transitions, built")
    ap.add_argument("--check", action="store_true", help="fail when docs/lock-transitions.md is stale")
    args = ap.parse_args()
    measured = table(args.program)
    if measured is None and not args.check:
        sys.exit(f"{args.program} could not measure here: memory must be lockable")
    if measured is None:
        print("docs/lock-transitions.md: not compared, memory cannot be locked here")
    elif not args.check:
        TARGET.write_text(HEAD + measured + TAIL)
    elif not TARGET.exists() or TARGET.read_text() != HEAD + measured + TAIL:
        sys.exit("docs/lock-transitions.md is stale: run `make docs`")


if __name__ == "__main__":
    main()
