#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns `nm -n kernel` on standard input into the symbol table for backtraces, as NASM source.

The table is a count, the functions' offsets from __text_start in ascending order, and their names, each ended
by a 0, in the same order. arch/x86_64/cpu/backtrace.c reads it.
"""

import re
import sys

# Suffixes that compilers give to parts and clones of a function; anything else with a dot is a local label.
CLONE = re.compile(r"^\w+(\.(constprop|isra|part|cold|lto_priv)(\.\d+)?|\.\d+)*$")


def read_symbols(lines):
    symbols = []
    bounds = {}
    for line in lines:
        fields = line.split()
        if len(fields) != 3:
            continue
        address, kind, name = int(fields[0], 16), fields[1], fields[2]
        if name in ("__text_start", "__text_end"):
            bounds[name] = address
        elif name == "__kernel_start":
            continue
        elif kind in "tTwW" and CLONE.match(name):
            symbols.append((address, name))
    if len(bounds) != 2:
        sys.exit("ksyms: no __text_start and __text_end in the input")
    start, end = bounds["__text_start"], bounds["__text_end"]
    table = {}
    for address, name in symbols:
        if start <= address < end:
            table.setdefault(address - start, name)
    return sorted(table.items())


def main():
    table = read_symbols(sys.stdin)
    out = ["section .ksyms progbits alloc noexec nowrite align=8"]
    out += ["global ksyms_count, ksyms_offsets, ksyms_names"]
    out += [f"ksyms_count: dd {len(table)}", "ksyms_offsets:"]
    out += [f"\tdd 0x{offset:x}" for offset, _ in table]
    out += ["ksyms_names:"]
    out += [f'\tdb "{name}", 0' for _, name in table]
    print("\n".join(out))


if __name__ == "__main__":
    main()
