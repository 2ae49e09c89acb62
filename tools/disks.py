# SPDX-License-Identifier: MIT
"""Disks of a virtual machine: raw images of the user's, and temporary ones, which have no name and so are gone
when QEMU is, whatever happens to the two of us.
"""

import json
import os
import re
import struct
import tempfile
import uuid

PAGE = 4096
SECTOR = 512
MAX_FAILING_SECTORS = 8192
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
FAILURE = re.compile(r"(read|write|flush)(?::(\w+)(?:\+(\w+))?)?")
OPTIONS = "ro; fail=read, write or flush, of these bytes if :OFFSET or :OFFSET+LENGTH follows; or one of QEMU's virtio-blk-pci"


class DiskError(Exception):
    pass


def parse_size(text):
    """Bytes of "64M", or None when it is no size."""
    m = re.fullmatch(r"(\d+)([KMGT]?)", text)
    return int(m[1]) * UNITS[m[2]] if m else None


class Disk:
    """path None: a temporary one of so many bytes."""

    def __init__(self, path=None, size=None, read_only=False, failures=(), options=()):
        self.path, self.read_only, self.failures, self.options = path, read_only, list(failures), list(options)
        self.file = None
        if path is None:
            self.file = tempfile.TemporaryFile(prefix="faultline-")
            self.file.truncate(size)

    def fds(self):
        return [self.file.fileno()] if self.file else []

    def close(self):
        if self.file:
            self.file.close()

    def arguments(self, name):
        """QEMU's. Only a temporary image may lose what QEMU has not written when the host stops."""
        node = {"driver": "file", "filename": self.path or f"/proc/self/fd/{self.file.fileno()}",
                "cache": {"no-flush": self.path is None}, "read-only": self.read_only}  # fmt: skip
        if self.failures:
            node = {"driver": "blkdebug", "image": node, "inject-error": self.failures}
        node = {"driver": "raw", "node-name": name, "file": node, "read-only": self.read_only}
        device = ["virtio-blk-pci", f"drive={name}", f"id={name}-device", "werror=report", "rerror=report"]
        return ["-blockdev", json.dumps(node), "-device", ",".join(device + self.options)]


def failure_rules(text):
    """blkdebug's for "read:1M+4K". It knows single sectors only: a range is a rule for each."""
    m = FAILURE.fullmatch(text)
    start, length = (m[2] and parse_size(m[2]), m[3] and parse_size(m[3])) if m else (None, None)
    if not m or (m[2] and start is None) or (m[3] and not length):
        raise DiskError(f"fail={text}: expected read, write or flush, then :OFFSET or :OFFSET+LENGTH")
    rule = {"event": "none", "iotype": m[1], "errno": 5, "once": False, "immediately": True}
    if start is None:
        return [rule]
    sectors = range(start // SECTOR, (start + (length or 1) - 1) // SECTOR + 1)
    if len(sectors) > MAX_FAILING_SECTORS:
        raise DiskError(f"fail={text}: more than {MAX_FAILING_SECTORS} sectors")
    return [rule | {"sector": n} for n in sectors]


def parse(text):
    """The Disk of a --disk option: a file or a size, then options."""
    what, *words = text.split(",")
    if what.endswith(":ro"):
        what, words = what[:-3], ["ro", *words]
    size = None if os.path.exists(what) else parse_size(what)
    if size is None and not os.path.isfile(what):
        raise DiskError(f"{what}: no such image, and no size like 64M")
    read_only, failures, options = False, [], []
    for word in words:
        if word == "ro":
            read_only = True
        elif word.startswith("fail="):
            failures += failure_rules(word[5:])
        elif "=" in word:
            options.append(word)
        else:
            raise DiskError(f"{word}: no such option ({OPTIONS})")
    if not read_only and size is None and not os.access(what, os.W_OK):
        raise DiskError(f"{what}: not writable; append ,ro")
    return Disk(None if size is not None else os.path.abspath(what), size, read_only, failures, options)


def swap_header(pages):
    """The first page of a swap area: union swap_header of Linux's include/linux/swap.h."""
    head = bytes(1024) + struct.pack("<III", 1, pages - 1, 0) + uuid.UUID(int=0xFA017).bytes + bytes(16)
    return head + bytes(PAGE - 10 - len(head)) + b"SWAPSPACE2"


def swap_disk(text):
    """The Disk of a --swap option."""
    size = parse_size(text)
    if not size or size < 10 * PAGE:
        raise DiskError(f"{text}: expected a size like 64M")
    disk = Disk(size=size // PAGE * PAGE)
    os.pwrite(disk.file.fileno(), swap_header(size // PAGE), 0)
    return disk


def guest_name(n):
    """What the guest calls the nth disk."""
    return f"/dev/vd{chr(ord('a') + n)}"
