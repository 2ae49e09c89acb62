# SPDX-License-Identifier: MIT
import gdb
import kernel
from kernel import PTE

LEVELS = ("PGD", "PUD", "PMD", "PTE")
MASK = PTE["PTE_ADDR_MASK"]
# Bits that mean something else when the entry is not present.
PRESENT_ONLY, ABSENT_ONLY = ("PTE_G", "PTE_W"), ("PTE_PROTNONE", "PTE_SWAP")
# What stands where a swap entry has its area, but is none.
NOT_AREAS = {value: name.removeprefix("SWP_").lower() for name, value in PTE.items()
             if name.startswith("SWP_") and not name.endswith(("_SHIFT", "_MASK"))}  # fmt: skip


def flags(entry, without):
    names = {name: bit for name, bit in PTE.items() if name.startswith("PTE_") and bit & (bit - 1) == 0 and name not in without}
    return " ".join(name.removeprefix("PTE_") for name, bit in names.items() if entry & bit)


def present(entry):
    return bool(entry & (PTE["PTE_P"] | PTE["PTE_PROTNONE"]))


def explain(entry, large_pages):
    """What an entry says. large_pages: how many a mapping at this level has."""
    if not entry:
        return "none"
    if entry & PTE["PTE_P"]:
        text = flags(entry, ABSENT_ONLY + ("PTE_PS",))
        if large_pages > 1:
            text = f"{text} PS"
        return f"frame {(entry & MASK) >> kernel.PAGE_SHIFT:#x} {text}"
    if entry & PTE["PTE_PROTNONE"]:
        return f"frame {(entry & MASK) >> kernel.PAGE_SHIFT:#x} {flags(entry, PRESENT_ONLY)}"
    if entry & PTE["PTE_SWAP"]:
        area, slot = entry >> 3 & 31, (entry & MASK) >> kernel.PAGE_SHIFT
        return f"{NOT_AREAS[area]} {slot:#x}" if area in NOT_AREAS else f"swap area {area} slot {slot:#x}"
    return f"{entry:#x}?"


def walk(root, address):
    """[(level, index, entry, pages)] down to the entry that says where the page is: pages is how many it maps, or 0."""
    table, steps = root, []
    for level, name in enumerate(LEVELS):
        shift = kernel.PAGE_SHIFT + 9 * (3 - level)
        index = address >> shift & 511
        entry = kernel.read_words(table + 8 * index, 1)[0]
        last = name == "PTE" or not entry & PTE["PTE_P"] or entry & PTE["PTE_PS"]
        steps.append((name, index, entry, 1 << shift - kernel.PAGE_SHIFT if last and present(entry) else 0))
        if last:
            break
        table = kernel.to_virtual(entry & MASK)
    return steps


def root_for(address, *pid):
    """The top table: a process's, or for the kernel's addresses any."""
    if address >> 47 and not pid:
        return kernel.to_virtual(int(gdb.newest_frame().read_register("cr3")) & MASK)
    return int(kernel.mm_of(*pid)[0]["pgt"]["root"])


def frame_of(address, *pid):
    """The number of the frame behind an address, or None."""
    _, _, entry, pages = walk(root_for(address, *pid), address)[-1]
    return ((entry & MASK) >> kernel.PAGE_SHIFT) + (address >> kernel.PAGE_SHIFT) % pages if pages else None


def promoted_entry(root, address):
    """The entry of the last-level table behind a user mapping of 2 MiB, which the CPU does not look at. None: no such table."""
    table = root
    for shift in (39, 30):
        table = kernel.to_virtual(kernel.read_words(table + 8 * (address >> shift & 511), 1)[0] & MASK)
    page = kernel.frame(table - kernel.PAGE["DIRECT_MAP_BASE"] >> kernel.PAGE_SHIFT)
    if not kernel.has(page, "pt_below") or not int(page["pt_below"]):
        return None
    below = int(page["pt_below"][address >> 21 & 511])
    return kernel.read_words(below + 8 * (address >> 12 & 511), 1)[0] if below else None


class Pt(kernel.Command):
    """pt ADDR [PID]: the page-table entries of an address, from the top, and what is there.

    Of the process that runs on this CPU unless one is named. ADDR may be any expression, also one of the kernel's
    addresses."""

    def run(self, arguments):
        if not arguments:
            raise gdb.GdbError("pt ADDR [PID]")
        address = kernel.number(arguments[0])
        root = root_for(address, *arguments[1:])
        for level, index, entry, pages in walk(root, address):
            print(f"{level} [{index:3}] {entry:016x}  {explain(entry, pages)}")
        if level == "PMD" and pages > 1 and not address >> 47:
            below = promoted_entry(root, address)
            if below is not None:
                print(f"PTE [{address >> 12 & 511:3}] {below:016x}  {explain(below, 1)}, of the table that was promoted")
        if pages > 1:
            print(f"one of {pages} pages: frame {((entry & MASK) >> kernel.PAGE_SHIFT) + (address >> kernel.PAGE_SHIFT) % pages:#x}")


def register():
    Pt()
