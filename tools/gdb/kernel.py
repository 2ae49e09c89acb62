# SPDX-License-Identifier: MIT
"""What the commands share: the kernel's structures by the names that the debug information has, its constants by the
names that the headers have. Nothing here knows an offset.

A machine stops anywhere, in the middle of a list operation too: whatever is followed is followed with a limit.
"""

import os
import re

import gdb

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEFINE = re.compile(r"^#define (\w+) \(?(0x[0-9a-f]+|\d+)U?L?(?: << (\d+))?\)?(?:\s|$)", re.M)
LIMIT = 1 << 20  # of anything that is linked


class Command(gdb.Command):
    """A command whose documentation is its class's; run(arguments) prints. Its mistakes are one line."""

    def __init__(self):
        super().__init__(type(self).__name__.lower(), gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        if gdb.selected_thread() is None:
            raise gdb.GdbError("there is no machine: target remote :1234")
        try:
            self.run(gdb.string_to_argv(argument))
        except (gdb.error, ValueError) as e:
            raise gdb.GdbError(str(e)) from e


def constants(header):
    """name -> value of the header's simple #defines, those of one bit (1UL << n) too."""
    with open(os.path.join(TOP, header), encoding="utf-8") as f:
        return {m[1]: int(m[2], 0) << int(m[3] or 0) for m in DEFINE.finditer(f.read())}


PAGE = constants("arch/x86_64/include/arch/page.h")
PTE = constants("arch/x86_64/include/arch/pgtable.h")
PAGE_SIZE, PAGE_SHIFT = 4096, 12


# ---- values ----


def static(file, name):
    """A variable that is static in a file."""
    return gdb.parse_and_eval(f"'{file}'::{name}")


def number(text):
    """An expression's value as an address or number; of a function or an array, where it is."""
    value = gdb.parse_and_eval(text)
    if value.type.strip_typedefs().code in (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_STRUCT):
        value = value.address
    return int(value) & (1 << 64) - 1


def has(value, name):
    """The structure has such a member, perhaps in a nameless part."""
    return name in (f.name for f in members(value.type))


def members(structure):
    """The named members, those of nameless parts too."""
    for f in structure.strip_typedefs().fields():
        if f.name:
            yield f
        else:
            yield from members(f.type)


def atomic(value):
    """An atomic_t, an atomic_long_t, a refcount_t or a plain number, as a number."""
    while value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        value = value[value.type.strip_typedefs().fields()[0]]
    return int(value)


def enumerators(name):
    """[(name, value)] of an enum, in order."""
    return [(f.name, f.enumval) for f in gdb.lookup_type(f"enum {name}").fields()]


def at(address, kind):
    """The structure at an address: at(0x1000, "struct page")."""
    return gdb.Value(address).cast(gdb.lookup_type(kind).pointer()).dereference()


def container(node, kind, member):
    """The structure whose member lies at node, a pointer."""
    offset = int(gdb.parse_and_eval(f"(unsigned long)&(({kind} *)0)->{member}"))
    return at(int(node) - offset, kind)


def linked(head, kind, member, limit=LIMIT):
    """The structures of a list_head list, at most so many. An uninitialised list is empty."""
    node = head["next"]
    while int(node) and node != head.address:
        if not limit:
            return
        limit -= 1
        yield container(node, kind, member)
        node = node["next"]


def bits(value, names):
    """The names, {name: bit's number}, whose bit is set."""
    return [name for name, n in names.items() if value >> n & 1]


def function(pc):
    """Where code is, as function+offset."""
    text = gdb.execute(f"info symbol {int(pc):#x}", to_string=True)
    found = re.match(r"(\S+)(?: \+ (\d+))? in section", text)
    return f"{found[1]}+{int(found[2] or 0):#x}" if found else f"{int(pc):#x}"


# ---- CPUs, tasks, address spaces ----


def cpu_number():
    """Of the CPU that gdb looks at: QEMU shows CPU n as its thread n + 1."""
    return max(gdb.selected_thread().ptid[1], 1) - 1


def online_cpus():
    mask = int(gdb.parse_and_eval("cpus_online")) or 1
    return [n for n in range(mask.bit_length()) if mask >> n & 1]


def running(cpu):
    """The task that runs on a CPU; None before there are tasks."""
    task = gdb.parse_and_eval("cpus")[cpu]["current_task"]
    return task.dereference() if int(task) else None


def tasks():
    for process in linked(gdb.parse_and_eval("all_processes"), "struct process", "node"):
        yield from linked(process["threads"], "struct task", "thread_node")


def comm(task):
    return task["comm"].string(errors="replace")


def mm_of(argument=None):
    """(mm, task) of a pid, or of what runs on this CPU."""
    if argument is None:
        task = running(cpu_number())
        if task is None or not int(task["mm"]):
            raise gdb.GdbError(f"CPU {cpu_number()} runs {comm(task) if task else 'nothing'}, in no address space; name a pid")
        return task["mm"].dereference(), task
    wanted = number(argument)
    for task in tasks():
        if wanted in (int(task["tid"]), int(task["process"]["pid"])) and int(task["mm"]):
            return task["mm"].dereference(), task
    raise gdb.GdbError(f"no process {wanted} with an address space")


# ---- memory ----


def to_virtual(physical):
    return PAGE["DIRECT_MAP_BASE"] + physical


def read_words(address, count):
    data = gdb.selected_inferior().read_memory(address, 8 * count)
    return list(memoryview(data).cast("B").cast("Q"))


def frame(pfn):
    """Its struct page."""
    size = gdb.lookup_type("struct page").sizeof
    return at(PAGE["VMEMMAP_BASE"] + pfn * size, "struct page")


def frames():
    """Their number, of all that there are."""
    return int(static("mm/buddy.c", "zone")["end_pfn"])


def page_flags():
    """{name without PG_: bit's number}"""
    return {name.removeprefix("PG_"): n for name, n in enumerators("page_flag")}
