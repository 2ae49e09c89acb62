#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Linux's own selftests: unpacks them from the distribution's linux-source package, builds them unmodified with
their own Makefiles, and writes docs/selftests.md. Which ones: tests/linux/selftests.list.

  build DIR [-j N]          sources to DIR/src, static programs to DIR/bin/DIRECTORY/TEST
  docs --results FILE       writes docs/selftests.md from the list and what the test run left in FILE
  docs --check              fails when docs/selftests.md does not say what the list says
"""

import argparse
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIST = os.path.join(TOP, "tests", "linux", "selftests.list")
DOCUMENT = os.path.join(TOP, "docs", "selftests.md")
SELFTESTS = "tools/testing/selftests"
# Beside the tests' own directories: what their Makefiles and sources include.
SHARED = [f"{SELFTESTS}/lib.mk", f"{SELFTESTS}/*.h", f"{SELFTESTS}/x86/check_cc.sh", f"{SELFTESTS}/x86/trivial_*.c", "mm/gup_test.h",
          "include/uapi/*", "include/linux/compiler*.h"]  # fmt: skip


@dataclass(frozen=True)
class Entry:
    name: str  # DIRECTORY/TEST
    runs: bool
    reason: str = ""  # of a test that does not run
    user: int | None = None
    args: tuple = ()
    without: str = ""  # a word: its subtests with this word in their names need what this kernel has not

    @property
    def directory(self):
        return os.path.dirname(self.name)


def read_list(path=LIST):
    entries = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            words = line.split(None, 2)
            if not words or line.startswith("#"):
                continue
            rest = words[2].strip() if len(words) == 3 else ""
            if len(words) < 2 or words[1] not in ("run", "skip") or (words[1] == "skip" and not rest):
                raise ValueError(f"{path}:{number}: expected NAME run [OPTIONS] or NAME skip REASON")
            if words[1] == "skip":
                entries.append(Entry(words[0], False, reason=rest))
                continue
            options = dict(option.split("=", 1) for option in rest.split())
            user = options.pop("user", None)
            args = tuple(filter(None, options.pop("args", "").split(",")))
            without = options.pop("without", "")
            if options:
                raise ValueError(f"{path}:{number}: unknown option {', '.join(options)}")
            entries.append(Entry(words[0], True, user=int(user) if user else None, args=args, without=without))
    return entries


# ---- the sources ----


def digest(path, kind="sha256"):
    with open(path, "rb") as f:
        return hashlib.new(kind, f.read()).hexdigest()


def find_package():
    """(name, version, tarball) of the newest installed linux-source package."""
    found = []
    for tarball in glob.glob("/usr/src/linux-source-*.tar.*") + glob.glob("/usr/src/linux-source-*/linux-source-*.tar.*"):
        name = os.path.basename(tarball).partition(".tar.")[0]
        query = ["dpkg-query", "-W", "-f", "${Version}", name]
        version = subprocess.run(query, capture_output=True, text=True).stdout.strip()
        if version:
            found.append(([int(n) for n in re.findall(r"\d+", name)], name, version, tarball))
    if not found:
        sys.exit("linux_selftests: the package linux-source is not installed; `tools/setup test` does that")
    return max(found)[1:]


def package_digest(name, tarball):
    """(as the package records it, as the file is)"""
    with open(f"/var/lib/dpkg/info/{name}.md5sums", encoding="utf-8") as f:
        recorded = {path: value for value, path in (line.strip().split("  ", 1) for line in f)}
    return recorded[os.path.realpath(tarball).lstrip("/")], digest(tarball, "md5")


def directories(entries):
    return sorted({e.directory for e in entries})


def unpack(out, entries):
    """Fills DIR/src once for a package and a set of directories, and DIR/SHA256SUMS with what the archive held."""
    name, version, tarball = find_package()
    stamp = os.path.join(out, "unpacked.json")
    wanted = {"package": name, "version": version, "directories": directories(entries), "shared": SHARED}
    try:
        with open(stamp, encoding="utf-8") as f:
            if json.load(f) == wanted:
                return wanted
    except FileNotFoundError:
        pass
    recorded, actual = package_digest(name, tarball)
    if recorded != actual:
        sys.exit(f"linux_selftests: {tarball} is not what {name} {version} installed")
    src = os.path.join(out, "src")
    subprocess.run(["rm", "-rf", src, os.path.join(out, "bin"), stamp], check=True)
    os.makedirs(src)
    patterns = [f"*/{path}" for path in SHARED]
    patterns += [f"*/{SELFTESTS}/{d}/*" for d in wanted["directories"] + ["vm"]]
    # A pattern may match nothing: the directories are not the same in every version.
    subprocess.run(["tar", "-xf", tarball, "-C", src, "--strip-components=1", "--wildcards", "--no-same-owner", *patterns],
                   stderr=subprocess.DEVNULL)  # fmt: skip
    base = os.path.join(src, SELFTESTS)
    if not os.path.exists(f"{base}/lib.mk"):
        sys.exit(f"linux_selftests: cannot unpack {tarball}")
    if not os.path.exists(f"{base}/mm"):
        os.rename(f"{base}/vm", f"{base}/mm")
    with open(os.path.join(out, "SHA256SUMS"), "w", encoding="utf-8") as f:
        for path, value in sorted(digests(src).items()):
            f.write(f"{value}  {path}\n")
    with open(stamp, "w", encoding="utf-8") as f:
        json.dump(wanted, f)
    return wanted


def digests(src):
    """path below src -> SHA-256 of every source and Makefile"""
    found = {}
    for root, _, files in os.walk(src):
        for name in files:
            path = os.path.join(root, name)
            if not os.path.islink(path):
                found[os.path.relpath(path, src)] = digest(path)
    return found


def build(out, jobs):
    out = os.path.abspath(out)
    entries = read_list()
    unpack(out, entries)
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    runs = [e for e in entries if e.runs]
    for directory in directories(runs):
        source = os.path.join(out, "src", SELFTESTS, directory)
        target = os.path.join(out, "bin", directory)
        wanted = [os.path.join(target, os.path.basename(e.name)) for e in runs if e.directory == directory]
        os.makedirs(target, exist_ok=True)
        argv = ["make", "-s", f"-j{jobs}", "-C", source, f"OUTPUT={target}", "CC=gcc -static", *wanted]
        made = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if made.returncode:
            sys.stderr.write(made.stdout + made.stderr)
            sys.exit(f"linux_selftests: cannot build {directory}")


# ---- docs/selftests.md ----

INTRODUCTION = """# Linux's own selftests

Made by `make docs` from tests/linux/selftests.list and the last run of tests/test_linux_selftests.py; do not edit.

`make test` unpacks them from the distribution's linux-source package, builds them with their own Makefiles
(`CC='gcc -static'`) and runs them on Linux in QEMU, and here on the debug kernel with one CPU and on the other with
four. A test passes when its exit status is 0 and every line that says "ok" on Linux says so here; "without" names
a feature that the test looks for itself, and whose subtests it leaves out here. Every program of mm is in the table;
of other directories only what is run. khugepaged runs its tests of shared memory like this, and those of anonymous memory,
which want swap, on a machine that has some; files would want a file system on a disk."""


def document(entries, results):
    out = [INTRODUCTION, "", f"This table: {results['package']} {results['version']}; sha256 is that of the test's source file.", ""]
    for directory in dict.fromkeys(e.directory for e in entries):
        out += [f"## {directory}", "", "| test | result | sha256 |", "|---|---|---|"]
        for e in (e for e in entries if e.directory == directory):
            verdict = f"skipped: {e.reason}"
            if e.runs:
                verdict = "pass" if e.name in results["passed"] else "**fails**"
                verdict += f", as user {e.user}" if e.user else ""
                verdict += f", without {e.without}" if e.without else ""
            checksum = results["sources"].get(e.name, "")[:16]
            out.append(f"| {os.path.basename(e.name)} | {verdict} | {checksum and f'`{checksum}`'} |")
        out.append("")
    return "\n".join(out)


def rows(text):
    """{test: verdict} of a document"""
    found, directory = {}, ""
    for line in text.splitlines():
        if line.startswith("## "):
            directory = line[3:]
        elif directory and (match := re.match(r"\| ([^ |]+) \| (.*?) \| [^|]* \|$", line)) and match[1] != "test":
            found[f"{directory}/{match[1]}"] = match[2]
    return found


def check():
    with open(DOCUMENT, encoding="utf-8") as f:
        said = rows(f.read())
    entries = read_list()
    wrong = [e.name for e in entries if not e.runs and said.get(e.name) != f"skipped: {e.reason}"]
    wrong += [e.name for e in entries if e.runs and not said.get(e.name, "").startswith("pass")]
    wrong += sorted(set(said) - {e.name for e in entries})
    if wrong:
        sys.exit(f"docs/selftests.md is stale: {', '.join(wrong)}")
    print("docs/selftests.md says what the list says")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = p.add_subparsers(dest="command", required=True)
    b = commands.add_parser("build")
    b.add_argument("out")
    b.add_argument("-j", type=int, default=os.cpu_count() or 1)
    d = commands.add_parser("docs")
    d.add_argument("--results")
    d.add_argument("--check", action="store_true")
    args = p.parse_args()
    if args.command == "build":
        build(args.out, args.j)
    elif args.check:
        check()
    else:
        with open(args.results, encoding="utf-8") as f:
            results = json.load(f)
        with open(DOCUMENT, "w", encoding="utf-8") as f:
            f.write(document(read_list(), results))


if __name__ == "__main__":
    main()
