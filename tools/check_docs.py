#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every file that the reading order names exists, and every document's relative links lead somewhere."""

import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = re.compile(r"`([A-Za-z0-9_./-]+/[A-Za-z0-9_.-]+\.(?:c|h|asm|def|py|ld|md)|Makefile|linker\.ld|run)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
REQUIRED = ["reading-order", "life-of-a-fault", "vma", "page-lifecycle", "mlock", "populate", "unevictable", "testing", "abi"]


def problems():
    for name in REQUIRED:
        if not os.path.exists(f"{TOP}/docs/{name}.md"):
            yield f"docs/{name}.md does not exist"
    for doc in sorted(glob.glob(f"{TOP}/docs/*.md") + [f"{TOP}/README.md"]):
        short = os.path.relpath(doc, TOP)
        with open(doc, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                for path in PATH.findall(line):
                    if not os.path.exists(os.path.join(TOP, path)):
                        yield f"{short}:{number}: {path} does not exist"
                for path in LINK.findall(line):
                    if not os.path.exists(os.path.join(os.path.dirname(doc), path)):
                        yield f"{short}:{number}: broken link {path}"


def main():
    found = list(problems())
    print("\n".join(found) if found else "docs: every named file exists")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
