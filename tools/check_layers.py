#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may include whom: the table of the design as data, held against every #include line.

The first row whose folder matches a file decides. A row allows header names as they are written, by pattern;
headers beside the including file, and those of the C language itself, are always allowed.
"""

import fnmatch
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

LANGUAGE = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdatomic.h", "cpuid.h", "limits.h", "stdalign.h"}
SEAM = ["kern/*", "arch/*"]
ERRNO = ["uapi/errno.h"]
# Beyond the design's table: everyone above mm/ may allocate, and arch may count what it does.
ALLOCATOR = ["mm/slab.h", "mm/page_alloc.h"]
STATS = ["mm/stats.h"]

TABLE = [
    # spinlock.h: the xarray carries its lock.
    ("include/kern/", SEAM + ERRNO + ["sync/spinlock.h"]),
    ("include/sync/", SEAM + ["sync/*"]),
    ("include/mm/", SEAM + ["sync/*", "mm/*", "uapi/mman.h"] + ERRNO),
    ("include/uapi/", ["uapi/*", "kern/types.h"]),
    # page.h: a page table is a page with a lock in its struct page.
    ("arch/x86_64/include/", SEAM + ["sync/spinlock.h", "mm/page.h"] + ERRNO),
    # slab.h: the xarray's nodes.
    ("lib/", ["kern/*", "sync/spinlock.h", "mm/slab.h"] + ERRNO),
    ("mm/", SEAM + ["sync/*", "mm/*", "uapi/mman.h"] + ERRNO),
    ("arch/x86_64/mm/pgtable.c", SEAM + ["mm/page.h", "mm/page_alloc.h"] + STATS + ERRNO),
    ("arch/x86_64/mm/", SEAM + ["sync/*", "mm/fault.h", "mm/page.h", "mm/mm.h"] + ALLOCATOR + STATS + ERRNO),
    ("arch/x86_64/trap/", SEAM + ["sync/*", "mm/fault.h", "mm/page.h", "mm/mm.h", "kernel/*", "uapi/*"] + ALLOCATOR),
    # A program's code, which only the kernel's headers describe.
    ("arch/x86_64/vdso/", ["arch/*", "uapi/time.h"]),
    ("arch/x86_64/cpu/", SEAM + ["sync/*", "mm/fault.h", "mm/page.h", "mm/mm.h", "kernel/*", "uapi/*"] + ALLOCATOR),
    ("arch/x86_64/", SEAM + ["sync/*", "mm/fault.h", "mm/page.h"] + ALLOCATOR + ERRNO),
    ("fs/procfs/", SEAM + ["sync/*", "mm/*", "kernel/*", "uapi/*", "fs/*", "drivers/*"]),
    # caller.h: fs/file.c gives mm/ its file references. writeback.h: files with a store read and write through it.
    ("fs/", SEAM + ["sync/*", "mm/filemap.h", "mm/writeback.h", "mm/page.h", "mm/caller.h", "kernel/*", "uapi/*", "fs/*", "drivers/*"] + ALLOCATOR),
    ("drivers/", SEAM + ["sync/*", "mm/filemap.h", "mm/writeback.h", "mm/page.h", "kernel/*", "uapi/*", "fs/*", "drivers/*"] + ALLOCATOR),
    # blkdev.h: the device to swap on.
    ("kernel/sys_swap.c", SEAM + ["mm/*", "kernel/*", "uapi/*", "fs/vfs.h", "fs/blkdev.h"]),
    ("kernel/", SEAM + ["sync/*", "mm/*", "kernel/*", "uapi/*", "fs/vfs.h", "drivers/*"]),
    ("tests/host/", ["*"]),
    # Programs: uapi, or whatever the C library and Linux offer; nothing of the kernel's own.
    ("user/", ["*", "!kern/*", "!sync/*", "!mm/*", "!arch/*", "!kernel/*", "!fs/*", "!drivers/*"]),
    ("tests/user/", ["*", "!kern/*", "!sync/*", "!mm/*", "!arch/*", "!kernel/*", "!fs/*", "!drivers/*"]),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def allowed(header, patterns):
    if any(fnmatch.fnmatch(header, p[1:]) for p in patterns if p.startswith("!")):
        return False
    return any(fnmatch.fnmatch(header, p) for p in patterns if not p.startswith("!"))


def check(path):
    row = next((r for r in TABLE if path.startswith(r[0])), None)
    if row is None:
        return []
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        text = f.read()
    problems = []
    for match in INCLUDE.finditer(text):
        kind, header = match.groups()
        beside = os.path.join(os.path.dirname(path), header)
        if kind == '"' and os.path.exists(os.path.join(TOP, beside)):
            header = os.path.normpath(beside)
            if os.path.dirname(header) == os.path.dirname(path):
                continue
        if header in LANGUAGE or allowed(header, row[1]):
            continue
        line = text.count("\n", 0, match.start(2)) + 1
        problems.append(f"{path}:{line}: {row[0]} may not include {header}")
    return problems


def sources():
    for folder in ("arch", "drivers", "fs", "include", "kernel", "lib", "mm", "user", "tests"):
        for root, dirs, files in os.walk(os.path.join(TOP, folder)):
            dirs.sort()
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(root, name), TOP)


def main():
    problems = [p for path in sources() for p in check(path)]
    print("\n".join(problems) if problems else "layers: clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
