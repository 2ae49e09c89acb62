# SPDX-License-Identifier: MIT
import gdb
import kernel
import pt
from kernel import PAGE, PAGE_SHIFT


def frame_number(text):
    """Of a frame number, or of any address: in the direct map, of a struct page, of the user's or the kernel's."""
    n = kernel.number(text)
    if not kernel.frames():
        raise gdb.GdbError("memory is not known yet")
    size = gdb.lookup_type("struct page").sizeof
    if n < kernel.frames():
        return n
    if PAGE["VMEMMAP_BASE"] <= n < PAGE["VMEMMAP_BASE"] + kernel.frames() * size:
        return (n - PAGE["VMEMMAP_BASE"]) // size
    if PAGE["DIRECT_MAP_BASE"] <= n < kernel.to_virtual(kernel.frames() << PAGE_SHIFT):
        return (n - PAGE["DIRECT_MAP_BASE"]) >> PAGE_SHIFT
    pfn = pt.frame_of(n)
    if pfn is None:
        raise gdb.GdbError(f"no page at {n:#x}")
    return pfn


def plain(value):
    """A member in a line: a number, a pointer; None: nothing that fits."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR:
        return f"{int(value):#x}"
    if kind.code == gdb.TYPE_CODE_STRUCT and [f.name for f in kind.fields()] not in (["v"], ["refs"]):
        return None
    if kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_INT, gdb.TYPE_CODE_BOOL):
        n = kernel.atomic(value)
        return f"{n:#x}" if abs(n) > 1 << 16 else str(n)
    return None


def folio_members(folio, anonymous):
    """[(name, text)] of what a folio has, whatever that is; of mapping and anon_vma the one that holds."""
    hidden = {"flags", "page", "mapping" if anonymous else "anon_vma"}
    seen = []
    for name in [f.name for f in kernel.members(folio.type) if f.name not in hidden]:
        text = plain(folio[name])
        if text is not None:
            seen.append((name, text))
    return seen


def counts_of_page(folio, page):
    """Of a large folio: what counts its pages, and this one. The first tail has what the head has no room for."""
    first_tail = kernel.at(int(folio.address) + page.type.sizeof, "struct page")
    own = [(first_tail, "head_maps"), (first_tail, "head_mlocks")] if page.address == folio.address.cast(page.address.type) else \
          [(page, "page_maps"), (page, "page_mlocks")]  # fmt: skip
    found = [(first_tail, name) for name in ("nr_mapped", "nr_mlocked", "huge_maps")] + own
    return " ".join(f"{name} {kernel.atomic(where[name])}" for where, name in found if kernel.has(where, name))


def owner(folio):
    """Of a folio in a file: which."""
    mapping = folio["mapping"]
    if not int(mapping) or not int(mapping["host"]):
        return []
    inode = kernel.at(int(mapping["host"]), "struct inode")
    return [f"of inode {int(inode['ino'])}, device {int(inode['dev']):#x}, {int(mapping['size'])} bytes"]


def free_or_special(page, flags):
    """What is not a folio of memory that someone uses."""
    if "buddy" in flags:
        return [f"free, a block of order {int(page['buddy_order'])}"]
    if "pgtable" in flags:
        return [f"a page table, {int(page['pt_used'])} entries in use if it is of the last level"]
    for flag, text in (("slab", "of the slab allocator"), ("reserved", "not the allocator's")):
        if flag in flags:
            return [text]
    return None


def describe(pfn):
    """Lines about a frame."""
    page, names = kernel.frame(pfn), kernel.page_flags()
    flags = kernel.bits(int(page["flags"]), names)
    lines = [f"frame {pfn:#x} at {kernel.to_virtual(pfn << PAGE_SHIFT):#x}, struct page {int(page.address):#x}: {' '.join(flags) or 'no flags'}"]
    special = free_or_special(page, flags)
    if special:
        return lines + special
    if "tail" in flags:
        head = int(page["head"])
        number = (head - PAGE["VMEMMAP_BASE"]) // page.type.sizeof
        lines.append(f"page {pfn - number} of the folio at frame {number:#x}")
        folio = kernel.at(head, "struct folio")
        flags = kernel.bits(int(folio["flags"]), names)
        lines.append(f"folio: {' '.join(flags)}")
    else:
        folio = kernel.at(int(page.address), "struct folio")
    anonymous = "anon" in flags
    lines.append(" ".join(f"{name} {text}" for name, text in folio_members(folio, anonymous)))
    if "large" in flags:
        lines.append(counts_of_page(folio, page))
    return lines + ([] if anonymous else owner(folio))


class Page(kernel.Command):
    """page PFN|ADDR: a frame's descriptor: its flags, its folio, who has it.

    A frame number, the address of a struct page or folio, one in the direct map, or any other of the process that
    runs on this CPU."""

    def run(self, arguments):
        if not arguments:
            raise gdb.GdbError("page PFN|ADDR")
        print("\n".join(describe(frame_number(" ".join(arguments)))))


def register():
    Page()
