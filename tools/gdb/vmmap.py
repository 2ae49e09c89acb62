# SPDX-License-Identifier: MIT
import gdb
import kernel

SHOWN_BY_RIGHTS = ("rd", "wr", "ex", "sh", "mr", "mw", "me", "ms")


def path(dentry):
    """A file's name from its directory entries."""
    names = []
    while len(names) < 64:
        parent = dentry["parent"]
        mount = dentry["mount"]
        if int(parent) and parent != dentry.address:
            names.insert(0, dentry["name"].string(errors="replace"))
        elif int(mount) and int(mount["on"]):
            parent = mount["on"]
        else:
            if dentry["anonymous"]:
                names.insert(0, dentry["name"].string(errors="replace"))
            break
        dentry = parent.dereference()
    return "/" + "/".join(names)


def is_special(have):
    """The kernel's own pages, which /proc shows by a name and not as a file."""
    return bool({"pf", "io", "de", "mm"} & set(have))


def name(mm, vma, letters):
    start, end = int(vma["start"]), int(vma["end"])
    have = kernel.bits(int(vma["flags"]), letters)
    if int(vma["file"]) and is_special(have):
        return "[vvar]" if "pf" in have else "[vdso]"
    if int(vma["file"]):
        dentry = vma["file"]["dentry"].dereference()
        return path(dentry) + (" (deleted)" if dentry["unlinked"] else "")
    if start < int(mm["brk"]) and end > int(mm["start_brk"]):
        return "[heap]"
    return "[stack]" if start <= int(mm["start_stack"]) <= end else ""


def codes():
    """{two letters as in smaps: bit's number} of vma->flags"""
    table = kernel.static("fs/procfs/maps.c", "vm_flag_codes")
    first, last = table.type.range()
    return {table[n].string(): n for n in range(first, last + 1)}


def line(mm, vma, letters):
    flags = int(vma["flags"])
    have = kernel.bits(flags, letters)
    rights = "".join(c if code in have else "-" for c, code in zip("rwx", ("rd", "wr", "ex"))) + ("s" if "ms" in have else "p")
    offset = int(vma["pgoff"]) * kernel.PAGE_SIZE if int(vma["file"]) and not is_special(have) else 0
    rest = " ".join(code for code in have if code not in SHOWN_BY_RIGHTS)
    kib = (int(vma["end"]) - int(vma["start"])) // 1024
    return f"{int(vma['start']):08x}-{int(vma['end']):08x} {rights} {offset:08x} {kib:8}K {rest:12} {name(mm, vma, letters)}".rstrip()


class Vmmap(kernel.Command):
    """vmmap [PID]: the mappings of a process, by default of the one that runs on this CPU.

    As in /proc/PID/maps; then the size, the flags that rights do not show, in smaps's letters, and the name."""

    def run(self, arguments):
        mm, task = kernel.mm_of(*arguments[:1])
        print(f"{kernel.comm(task)} ({int(task['process']['pid'])}), {int(mm['map_count'])} mappings, "
              f"{int(mm['locked_vm'])} of {int(mm['total_vm'])} pages locked")  # fmt: skip
        letters, vma, seen = codes(), mm["index"]["first"], 0
        while int(vma) and seen < kernel.LIMIT:
            print(line(mm, vma.dereference(), letters))
            vma, seen = vma["next"], seen + 1
        if seen != int(mm["map_count"]):
            print(f"{seen} were found: the list is being changed")


def register():
    Vmmap()
