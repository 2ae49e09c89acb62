# SPDX-License-Identifier: MIT
import gdb
import kernel

FOLIOS = 10000  # so many are counted: each costs a question to the machine


def lists():
    """[(name, number)] of the lists."""
    return [(name.removeprefix("LRU_").lower(), n) for name, n in kernel.enumerators("lru_list") if name.startswith("LRU_")]


def gauge(name):
    """A counter of /proc/vmstat, of all CPUs together."""
    index = dict(kernel.enumerators("stat_item"))[name]
    cpus = gdb.parse_and_eval("cpus")
    return sum(int(cpus[n]["stats"][index]) for n in kernel.online_cpus())


def folios(head, limit):
    return kernel.linked(head, "struct folio", "lru", limit)


def pages_of(folio):
    return 1 << int(folio["order"])


def count(head):
    """(folios, pages, whether that is all)"""
    found = [pages_of(f) for f in folios(head, FOLIOS)]
    return len(found), sum(found), len(found) < FOLIOS


def heads():
    """[(list, its name, head)]: the lists of all, and each CPU's new folios."""
    table = kernel.static("mm/lru.c", "lru")["lists"]
    found = [(name, name, table[n]) for name, n in lists() if n <= table.type.range()[1]]
    new = kernel.static("mm/lru.c", "new_folios")
    return found + [("inactive_anon", f"new on CPU {n}", new[n]["folios"]) for n in kernel.online_cpus()]


def show_folios(name, limit):
    names = kernel.page_flags()
    for list_name, where, head in heads():
        if name not in (list_name, where):
            continue
        for folio in folios(head, limit):
            pfn = (int(folio.address) - kernel.PAGE["VMEMMAP_BASE"]) // folio.type.sizeof
            counts = " ".join(f"{m} {kernel.atomic(folio[m])}" for m in ("refcount", "mapcount") if kernel.has(folio, m))
            print(f"{pfn:#8x} order {int(folio['order'])} {counts}: {' '.join(kernel.bits(int(folio['flags']), names))}")


class Lru(kernel.Command):
    """lru [LIST [COUNT]]: how long the lists are, beside what /proc/vmstat says; or the first folios of one.

    Unevictable folios are on no list and only counted. Of a long list the first 10000 are counted."""

    def run(self, arguments):
        if arguments:
            if arguments[0] not in (name for name, _ in lists()):
                raise gdb.GdbError(f"lists: {' '.join(name for name, _ in lists())}")
            show_folios(arguments[0], int(arguments[1]) if len(arguments) > 1 else 20)
            return
        pages = {}
        for name, where, head in heads():
            folios_there, pages_there, complete = count(head)
            pages[name] = pages.get(name, 0) + pages_there
            if where == name or folios_there:
                print(f"{where:14} {folios_there:8} folios {pages_there:8} pages{'' if complete else ' and more'}")
        print("nr_ counters:  " + ", ".join(f"{name} {gauge('NR_' + name.upper())}" for name, _ in lists()))


def register():
    Lru()
