#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes docs/abi.md: which system calls exist here, and which user tests exercise each call and flag.

The calls come from kernel/syscalls.def, the tests from tests/user/*.c. With --results FILE (the list of
passed tests that the test run leaves behind) only tests that passed on Faultline count. With --check
nothing is written and a stale file is an error.
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLAG = re.compile(r"\b((?:MAP|MREMAP|MADV|MS|MFD|PROT|F_SEAL|FALLOC_FL|CLONE|SA|W)_?[A-Z][A-Z_0-9]+)\b")
MEMORY_FLAGS = ("PROT_", "MAP_", "MREMAP_", "MADV_", "MS_", "MFD_", "F_SEAL_", "FALLOC_FL_")
# What a C library calls a system call when the names differ.
LIBC_NAMES = {
    "newfstatat": ["fstatat", "newfstatat"], "stat": ["stat"], "pread64": ["pread"],
    "pwrite64": ["pwrite"], "exit_group": ["exit", "_exit"], "rt_sigaction": ["sigaction", "signal"],
    "rt_sigprocmask": ["sigprocmask"], "rt_sigsuspend": ["sigsuspend"],
    "rt_sigpending": ["sigpending"], "rt_sigtimedwait": ["sigtimedwait", "sigwaitinfo"],
    "rt_sigqueueinfo": ["sigqueue"], "getdents64": ["readdir"], "prlimit64": ["prlimit", "setrlimit"],
    "wait4": ["wait4", "waitpid", "wait"], "rt_sigreturn": ["sigaction"], "arch_prctl": [],
}


def calls():
    text = (ROOT / "kernel/syscalls.def").read_text()
    return [(int(n), name) for n, name in re.findall(r"^SYSCALL\((\d+), (\w+)\)", text, re.M)]


def tests(passed):
    found = {}
    for path in sorted((ROOT / "tests/user").glob("*.c")):
        if passed is None or path.stem in passed:
            found[path.stem] = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    return found


def users_of_call(name, sources):
    names = LIBC_NAMES.get(name, [name]) + [name]
    pattern = re.compile(r"\bSYS\(%s\b|\bSYS_%s\b|\b(?:%s)\(" % (name, name, "|".join(names)))
    return [test for test, text in sources.items() if pattern.search(text)]


def listed(items, limit=4):
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(f"`{i}`" for i in items[:limit]) + more if items else "none by name"


def document(sources):
    out = ["# The Linux ABI, as far as it goes", "",
           "Made by `make docs` from kernel/syscalls.def and tests/user; do not edit.", "",
           "A call that is not in the list returns ENOSYS and counts in `syscall_enosys` of /proc/vmstat. A flag",
           "that is not honoured is refused. Each test passes on Linux too.", "",
           "**User namespaces** (kernel/user_namespace.h) are the only ones: `clone`, `unshare` and `setns` take",
           "CLONE_NEWUSER, the flags of other namespaces are EINVAL, as on a Linux built without those. The kernel stores and",
           "compares ids of the initial namespace; the maps translate what a program passes and what it is shown (set*id,",
           "stat, chown, /proc/PID/status, si_uid, AT_UID, shmctl), 65534 for what has no number there. A capability counts",
           "for what belongs to its namespace: the ids, the processes and the inodes that are mapped there; what belongs to",
           "the machine (RLIMIT_MEMLOCK, mount, reboot, the clock, hard limits) asks the initial namespace. Unlike",
           "Linux: `/proc/sys/user`, the `ioctl`s of namespace files and pidfds for `setns` do not exist; RLIMIT_NPROC and",
           "SHM_LOCK count a user of the machine, in whatever namespace; and a process that is not dumpable belongs to the",
           "initial namespace's root, even if it was started in another.", "",
           "## System calls", "", "| number | call | tests |", "|---|---|---|"]
    for number, name in calls():
        out.append(f"| {number} | {name} | {listed(users_of_call(name, sources))} |")
    flags = {}
    for test, text in sources.items():
        for flag in set(FLAG.findall(text)):
            if flag.startswith(MEMORY_FLAGS):
                flags.setdefault(flag, []).append(test)
    out += ["", "## Flags of the memory calls", "",
            "Tested means: what Linux does with it, which for some is to refuse it.", "",
            "| flag | tests |", "|---|---|"]
    out += [f"| {flag} | {listed(sorted(users))} |" for flag, users in sorted(flags.items())]
    return "\n".join(out) + "\n"


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--results", type=pathlib.Path, help="file with the names of passed tests, one a line")
    ap.add_argument("--check", action="store_true", help="fail when docs/abi.md is stale")
    args = ap.parse_args()
    passed = set(args.results.read_text().split()) if args.results else None
    text = document(tests(passed))
    target = ROOT / "docs/abi.md"
    if not args.check:
        target.write_text(text)
    elif not target.exists() or target.read_text() != text:
        sys.exit("docs/abi.md is stale: run `make docs`")


if __name__ == "__main__":
    main()
