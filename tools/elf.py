# SPDX-License-Identifier: MIT
"""What a program needs to run somewhere else: its interpreter and its shared libraries.

Reads ELF files itself (gABI chapters 4 and 5; the search order is ld.so(8)'s), so that neither ldd nor the
dynamic loader has to run the program.
"""

import glob
import os
import struct

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 1, 5, 15, 29
DEFAULT_DIRS = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]


class Elf:
    """The dynamic-linking part of an x86_64 ELF file; ValueError when it is none."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        if self.data[:6] != b"\x7fELF\x02\x01" or self.u16(18) != 62:
            raise ValueError(f"{path} is no x86_64 ELF file")
        self.interp, self.needed, self.search = None, [], []
        self.loads, dynamic = [], None
        for i in range(self.u16(56)):
            at = self.u64(32) + i * self.u16(54)
            kind, offset, vaddr, size = self.u32(at), self.u64(at + 8), self.u64(at + 16), self.u64(at + 32)
            if kind == PT_LOAD:
                self.loads.append((vaddr, offset, size))
            elif kind == PT_INTERP:
                self.interp = self.data[offset : offset + size].rstrip(b"\0").decode()
            elif kind == PT_DYNAMIC:
                dynamic = (offset, size)
        if dynamic:
            self.read_dynamic(*dynamic)

    def u16(self, at):
        return struct.unpack_from("<H", self.data, at)[0]

    def u32(self, at):
        return struct.unpack_from("<I", self.data, at)[0]

    def u64(self, at):
        return struct.unpack_from("<Q", self.data, at)[0]

    def read_dynamic(self, offset, size):
        entries = [struct.unpack_from("<QQ", self.data, at) for at in range(offset, offset + size, 16)]
        tables = [value for tag, value in entries if tag == DT_STRTAB]
        if not tables:
            return
        strings = self.file_offset(tables[0])

        def text(value):
            end = self.data.index(b"\0", strings + value)
            return self.data[strings + value : end].decode()

        self.needed = [text(value) for tag, value in entries if tag == DT_NEEDED]
        for wanted in (DT_RUNPATH, DT_RPATH):
            paths = [text(value) for tag, value in entries if tag == wanted]
            if paths:
                self.search = paths[0].split(":")
                break

    def file_offset(self, vaddr):
        for start, offset, size in self.loads:
            if start <= vaddr < start + size:
                return vaddr - start + offset
        raise ValueError("an address of the dynamic section lies outside the file")


def configured_dirs():
    """Directories of /etc/ld.so.conf, which the target's loader does not know."""
    dirs = []
    for conf in sorted(glob.glob("/etc/ld.so.conf.d/*.conf")):
        with open(conf, encoding="utf-8", errors="replace") as f:
            dirs += [line.strip() for line in f if line.startswith("/")]
    return dirs


def find_library(name, host_dir, guest_dir, search):
    """(path on the host, path in the guest), or None."""
    for entry in search:
        host = entry.replace("$ORIGIN", host_dir).replace("${ORIGIN}", host_dir)
        guest = entry.replace("$ORIGIN", guest_dir).replace("${ORIGIN}", guest_dir)
        if os.path.isfile(os.path.join(host, name)):
            return os.path.join(host, name), os.path.normpath(os.path.join(guest, name))
    for directory in DEFAULT_DIRS:
        if os.path.isfile(os.path.join(directory, name)):
            return os.path.join(directory, name), os.path.join(directory, name)
    for directory in configured_dirs():
        if os.path.isfile(os.path.join(directory, name)):
            # Not on the loader's built-in path: goes where it looks anyway.
            return os.path.join(directory, name), os.path.join(DEFAULT_DIRS[0], name)
    return None


def dependencies(host_path, guest_path):
    """[(path on the host, path in the guest)] of everything a program loads, itself not included."""
    found, seen = [], set()
    todo = [(os.path.realpath(host_path), guest_path, [])]
    while todo:
        host, guest, inherited = todo.pop()
        try:
            elf = Elf(host)
        except (ValueError, struct.error):
            continue
        if elf.interp and elf.interp not in seen:
            seen.update((elf.interp, os.path.basename(elf.interp)))
            found.append((elf.interp, elf.interp))
        search = elf.search + inherited
        for name in elf.needed:
            if name in seen:
                continue
            seen.add(name)
            where = find_library(name, os.path.dirname(host), os.path.dirname(guest), search)
            if where is None:
                raise FileNotFoundError(f"{host_path} needs {name}, which is not on this machine")
            found.append(where)
            todo.append((os.path.realpath(where[0]), where[1], search))
    return found
