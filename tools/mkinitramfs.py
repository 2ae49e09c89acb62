#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the initramfs: a newc cpio archive (Linux's Documentation/driver-api/early-userspace/buffer-format).

The same contents give the same bytes: times are 0, owners root, inode numbers count up. As a program it
writes the image that `make run` boots; ./run and the tests use the class.
"""

import argparse
import os
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import elf

JOBS_FILE = "/etc/faultline/jobs"
MODULES_FILE = "/etc/faultline/modules"
GUEST_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

ETC = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "/etc/hostname": "faultline\n",
    "/etc/profile": "export PS1='\\w \\$ '\n",
}


class Archive:
    def __init__(self):
        self.entries = {}  # guest path without the leading slash -> (mode, rdev major, minor, data)

    def _put(self, path, mode, data=b"", rdev=(0, 0)):
        path = os.path.normpath(path).lstrip("/")
        if path in ("", "."):
            return
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self._put(parent, stat.S_IFDIR | 0o755)
        old = self.entries.get(parent)
        if old and not stat.S_ISDIR(old[0]):
            # A link to a directory in the way: go through it.
            if stat.S_ISLNK(old[0]):
                target = os.path.join("/", os.path.dirname(parent), old[3].decode())
                self._put(os.path.join(target, os.path.basename(path)), mode, data, rdev)
                return
            raise NotADirectoryError(f"/{parent} is a file in the initramfs")
        self.entries[path] = (mode, *rdev, data)

    def directory(self, path, mode=0o755):
        if os.path.normpath(path).lstrip("/") not in self.entries:
            self._put(path, stat.S_IFDIR | mode)

    def symlink(self, path, target):
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, major, minor, mode=0o600):
        self._put(path, stat.S_IFCHR | mode, rdev=(major, minor))

    def text(self, path, data, mode=0o644):
        self._put(path, stat.S_IFREG | mode, data if isinstance(data, bytes) else data.encode())

    def file(self, path, host):
        """One file, links followed."""
        with open(host, "rb") as f:
            self._put(path, stat.S_IFREG | stat.S_IMODE(os.stat(host).st_mode), f.read())

    def program(self, path, host):
        """A file and what it needs to be executed: interpreter, libraries, a script's interpreter."""
        self.file(path, host)
        with open(host, "rb") as f:
            head = f.read(256)
        if head.startswith(b"#!"):
            words = head[2:].split(b"\n")[0].decode(errors="replace").split()
            if words and os.path.basename(words[0]) == "env" and len(words) > 1:
                self.program_if_there(words[0])
                words = [shutil.which(words[1]) or words[1]]
            if words:
                self.program_if_there(words[0])
            return
        for lib_host, lib_guest in elf.dependencies(host, path):
            self.file(lib_guest, lib_host)

    def program_if_there(self, path):
        name = os.path.normpath(path).lstrip("/")
        if name not in self.entries and os.path.isfile(path):
            self.program(path, path)

    def tree(self, path, host):
        """A file with its libraries, or a directory with everything below it, links kept."""
        if not os.path.isdir(host):
            self.program(path, host)
            return
        self.directory(path)
        for root, dirs, files in os.walk(host):
            dirs.sort()
            base = os.path.join(path, os.path.relpath(root, host))
            for name in sorted(dirs + files):
                source = os.path.join(root, name)
                mode = os.lstat(source).st_mode
                if stat.S_ISLNK(mode):
                    self.symlink(os.path.join(base, name), os.readlink(source))
                elif stat.S_ISDIR(mode):
                    self.directory(os.path.join(base, name), stat.S_IMODE(mode))
                elif stat.S_ISREG(mode):
                    self.program(os.path.join(base, name), source)

    def modules(self, paths):
        """Kernel modules that user/init/startup.c loads, in this order."""
        for path in paths:
            self.file("/lib/modules/" + os.path.basename(path), path)
        self.text(MODULES_FILE, "".join(f"/lib/modules/{os.path.basename(path)}\n" for path in paths))

    def bytes(self):
        out = bytearray()
        items = sorted(self.entries.items())
        for number, (path, (mode, major, minor, data)) in enumerate(items, 1):
            _append(out, number, path, mode, major, minor, data)
        _append(out, 0, "TRAILER!!!", 0, 0, 0, b"")
        out += bytes(-len(out) % 512)
        return bytes(out)


def _append(out, number, path, mode, major, minor, data):
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, major, minor, len(name), 0)
    out += b"070701" + b"".join(b"%08X" % f for f in fields) + name
    out += bytes(-len(out) % 4)
    out += data
    out += bytes(-len(out) % 4)


def find_busybox():
    """A static BusyBox on this machine, or None."""
    for path in (os.environ.get("BUSYBOX"), shutil.which("busybox"), "/usr/lib/initramfs-tools/bin/busybox"):
        if path and os.path.isfile(path) and elf.Elf(path).interp is None:
            return path
    return None


def applets(busybox):
    return subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()


def base_archive(init, busybox=None):
    """What every guest has: /init, BusyBox and its names in /bin, a little of /etc, the usual directories."""
    a = Archive()
    for path in ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/etc", "/root", "/dev", "/proc", "/sys", "/mnt", "/var", "/run"):
        a.directory(path)
    for path in ("/tmp", "/dev/shm", "/var/tmp"):
        a.directory(path, 0o1777)
    a.device("/dev/console", 5, 1)
    a.device("/dev/null", 1, 3, 0o666)
    for path, text in ETC.items():
        a.text(path, text)
    a.file("/init", init)
    busybox = busybox or find_busybox()
    if busybox:
        a.file("/bin/busybox", busybox)
        for name in applets(busybox):
            if name not in ("busybox", "init", "linuxrc"):
                a.symlink(f"/bin/{name}", "busybox")
    return a


def job_strings(name, argv, path=None, env=None, cwd=None, stdin=None, timeout=None, console=None, size=None, user=None, swap=None,
                trace=None):
    """One job for init: user/init/jobs.h describes the letters. stdin: a guest path or "-"."""
    strings = ["n" + name]
    if path:
        strings.append("x" + path)
    strings += ["a" + arg for arg in argv]
    strings += [f"e{key}={value}" for key, value in (env or {}).items()]
    for letter, value in (("d", cwd), ("i", stdin), ("t", timeout), ("c", console), ("u", user), ("s", swap), ("r", trace)):
        if value is not None:
            strings.append(f"{letter}{value}")
    if size:
        strings.append(f"w{size[0]} {size[1]}")
    return b"".join(os.fsencode(s) + b"\0" for s in strings)


def main():
    p = argparse.ArgumentParser(description="builds an initramfs with BusyBox")
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--init", required=True, help="the static program that becomes /init")
    p.add_argument("--add", action="append", default=[], metavar="HOST[:GUEST]", help="also contains this file or tree")
    args = p.parse_args()
    if not find_busybox():
        sys.exit("mkinitramfs: no static busybox on this machine (package busybox-static)")
    a = base_archive(args.init)
    for item in args.add:
        host, _, guest = item.partition(":")
        a.tree(guest or os.path.abspath(host), host)
    with open(args.output, "wb") as f:
        f.write(a.bytes())


if __name__ == "__main__":
    main()
