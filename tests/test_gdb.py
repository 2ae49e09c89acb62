# SPDX-License-Identifier: MIT
"""The commands of `make gdb` (tools/gdb), asked where tests/gdb/target.c has stopped: what they say must be what /proc said
to the program just before.
"""

import os
import re
import shutil
import subprocess
import time

import pytest
from conftest import BUILD, TOP, kernel_path, run_argv

pytestmark = pytest.mark.together

COMMANDS = os.path.join(TOP, "tools", "gdb", "faultline.py")
HUGE = 0x20005000  # the sixth page of 2 MiB
ANON, NO_ACCESS, LOCKED, LAZY, NONE, SHARED = (0x10000000 + n * 4096 for n in (0, 5, 32, 48, 64, 80))
SEPARATOR = "----"


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    program = tmp_path_factory.mktemp("gdb") / "target"
    source = os.path.join(TOP, "tests", "gdb", "target.c")
    subprocess.run(["musl-gcc", "-O2", "-static", "-pthread", "-o", program, source], check=True)
    return program


@pytest.fixture(scope="module")
def ask(target, tmp_path_factory):
    """ask([gdb commands], ...) -> ([their answers], what the program printed)"""

    def call(commands, *options, debug=True, program=target):
        sock = tmp_path_factory.mktemp("socket") / "gdb"
        argv = run_argv("faultline", *(["--debug"] if debug else []), "--gdb-socket", sock, "--timeout", 200, *options, "--", program)
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as machine:
            try:
                deadline = time.monotonic() + 60
                while not sock.exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                argv = ["gdb", "-q", "-nx", "-batch", "-ex", "set confirm off", "-x", COMMANDS, kernel_path(debug), "-ex", f"target remote {sock}"]
                for command in [*commands, "detach"]:
                    argv += ["-ex", f"echo {SEPARATOR}\\n", "-ex", command]
                done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180,
                                      cwd="/")  # fmt: skip
                printed = machine.communicate(timeout=180)[0]
            finally:
                machine.kill()
        assert "Python Exception" not in done.stdout and "Traceback" not in done.stdout, done.stdout
        return [answer.strip("\n") for answer in done.stdout.split(SEPARATOR + "\n")[1:-1]], printed

    if not shutil.which("gdb"):
        pytest.fail("gdb is not on this machine")
    return call


AT_TARGET = ["hbreak sys_getpgid", "continue"]
QUESTIONS = {
    "vmmap": "vmmap", "init": "vmmap 1", "nobody": "vmmap 77", "lru": "lru", "lru list": "lru inactive_anon 3", "threads": "threads",
    **{f"pt {name}": f"pt {address:#x}" for name, address in
       (("anon", ANON), ("no access", NO_ACCESS), ("locked", LOCKED), ("lazy", LAZY), ("shared", SHARED), ("huge", HUGE))},
    **{f"page {name}": f"page {address:#x}" for name, address in (("anon", ANON), ("locked", LOCKED), ("none", NONE), ("shared", SHARED), ("huge", HUGE), ("head", HUGE & -1 << 21))},
    "page of the kernel": "page cpus", "page of a function": "page kernel_main", "pt of the kernel": "pt 0xffff888008000000", "page table": "page ((struct mm *)cpus[0].current_task->mm)->pgt.root",
    "not a symbol": "pt no_such_symbol", "pt?": "pt", "page?": "page", "lru?": "lru nowhere",
}  # fmt: skip


@pytest.fixture(scope="module", params=["debug", "release"])
def answers(request, ask):
    """{question: answer}, and the program's output"""
    said, printed = ask(AT_TARGET + list(QUESTIONS.values()), "--knob", "thp=madvise", debug=request.param == "debug")
    return dict(zip(QUESTIONS, said[len(AT_TARGET) :])), printed


def section(printed, title):
    return printed.split(f"== {title}\n")[1].split("\n==")[0]


def frame(printed, address):
    entry = int(re.search(rf"^{address:#x} pagemap (\S+)$", printed, re.M)[1], 16)
    return entry & (1 << 55) - 1


def test_vmmap(answers):
    said, printed = answers
    shown = [line.split() for line in section(printed, "/proc/self/maps").splitlines()]
    lines = [line.split() for line in said["vmmap"].splitlines()]
    assert re.fullmatch(r"target \(\d+\), \d+ mappings, 8 of \d+ pages locked", said["vmmap"].splitlines()[0])
    assert [line[:3] for line in lines[1:]] == [words[:3] for words in shown]
    names = [words[5] for words in shown if len(words) > 5]
    assert [line for line in said["vmmap"].splitlines()[1:] for name in names if line.endswith(name) or f"{name} (deleted)" in line]
    rows = {int(line[0].split("-")[0], 16): line for line in lines[1:]}
    assert rows[LOCKED][3:5] == ["16K", "lo"] and rows[LAZY][3:6] == ["16K", "lo", "lf"]
    assert rows[SHARED][1] == "rw-s" and rows[SHARED][4:] == ["/memfd:target", "(deleted)"]
    assert "init (1), " in said["init"] and "/init" in said["init"] and "[stack]" in said["init"]
    assert said["nobody"] == "no process 77 with an address space"


def test_pt(answers):
    said, printed = answers
    for name, address, flags in (("anon", ANON, "P W U A D NX"), ("no access", NO_ACCESS, "A D PROTNONE"), ("shared", SHARED, "P W U A D NX")):
        last = said[f"pt {name}"].splitlines()[-1]
        assert last.startswith(f"PTE [{address >> 12 & 511:3}]") and last.endswith(f"frame {frame(printed, address):#x} {flags}"), last
    assert [line.split()[0] for line in said["pt anon"].splitlines()] == ["PGD", "PUD", "PMD", "PTE"]
    assert {"P", "U", "SPECIAL"} <= set(said["pt locked"].split())
    assert said["pt lazy"].endswith(" 0000000000000000  none")
    lines = said["pt of the kernel"].splitlines()
    assert lines[-2].startswith("PMD [ 64]") and lines[-2].endswith(" PS") and lines[-1] == "one of 512 pages: frame 0x8000"


def test_page(answers):
    said, printed = answers
    lines = said["page anon"].splitlines()
    assert lines[0].startswith(f"frame {frame(printed, ANON):#x} at 0xffff888") and {"uptodate", "lru", "swapbacked", "anon"} <= set(lines[0].split())
    assert {"refcount 1", "mapcount 1", "order 0", f"index {ANON >> 12}"} <= set(re.findall(r"\w+ \w+", lines[1]))
    assert "anon_vma 0xffff" in said["page anon"] and "mapping 0x" not in said["page anon"]
    assert said["page shared"].startswith(f"frame {frame(printed, SHARED):#x} ") and " 8192 bytes" in said["page shared"]
    assert all("reserved" in said[f"page {what}"] for what in ("locked", "of the kernel", "of a function"))
    assert said["page none"] == f"no page at {NONE:#x}"
    assert "a page table" in said["page table"]


def test_large_folio(answers):
    """Mapped as one by an upper entry, over the table that all but the CPU look at."""
    said, printed = answers
    pfn = frame(printed, HUGE)
    *_, upper, entry, last = said["pt huge"].splitlines()
    assert upper.startswith("PMD") and upper.endswith(f"frame {pfn - 5:#x} P W U A D NX PS")
    assert entry.startswith("PTE [  5]") and entry.endswith(f"frame {pfn:#x} P W U A D NX, of the table that was promoted")
    assert last == f"one of 512 pages: frame {pfn:#x}"
    own, tail, folio, members, counts = said["page huge"].splitlines()
    assert own.startswith(f"frame {pfn:#x} ") and own.endswith(": tail") and tail == f"page 5 of the folio at frame {pfn - 5:#x}"
    assert {"lru", "anon", "large"} <= set(folio.split()) and " order 9 " in members
    # The promoted table counts once, so no page counts an entry of its own.
    assert re.fullmatch(r"nr_mapped \d+ nr_mlocked 0 huge_maps 1 page_maps 0 page_mlocks 0", counts)
    assert re.fullmatch(r"nr_mapped \d+ nr_mlocked 0 huge_maps 1 head_maps 0 head_mlocks 0", said["page head"].splitlines()[-1])


def test_lru(answers):
    said, printed = answers
    *lines, last = said["lru"].splitlines()
    counters = {name: int(value) for name, value in re.findall(r"(\w+) (\d+)(?:,|$)", last)}
    pages = dict.fromkeys(counters, 0)
    for line in lines:
        name = line.split("  ")[0]
        pages["inactive_anon" if name.startswith("new on CPU") else name] += int(re.search(r"(\d+) pages", line)[1])
    assert pages == {**counters, "unevictable": 0}
    for name, value in counters.items():
        before = int(re.search(rf"^nr_{name} (\d+)$", section(printed, "/proc/vmstat"), re.M)[1])
        assert abs(before - value) <= 8, name
    assert len(said["lru list"].splitlines()) >= 3 and all(re.match(r" *0x[0-9a-f]+ order \d", line) for line in said["lru list"].splitlines())
    assert said["lru?"] == "lists: inactive_anon active_anon inactive_file active_file unevictable"


def test_threads(answers):
    said, printed = answers
    pid = re.search(r"^pid (\d+)$", printed, re.M)[1]
    rows = [line.split(None, 4) for line in said["threads"].splitlines()[1:]]
    mine = [row for row in rows if row[1] == pid]
    assert [row[2] for row in mine] == ["target", "target"]
    assert mine[0][3] == "CPU" and "sys_getpgid" in mine[0][4]
    assert mine[1][3] == "interruptible" and mine[1][4].startswith("sys_pause < syscall_entry")
    assert {"init", "kswapd0"} <= {row[2] for row in rows}


def test_mistakes(answers):
    said, _ = answers
    assert said["not a symbol"] == 'No symbol "no_such_symbol" in current context.'
    assert (said["pt?"], said["page?"]) == ("pt ADDR [PID]", "page PFN|ADDR")


EARLY = ["vmmap", "pt 0x1000", "page 5", "lru", "locks", "threads"]


def test_before_there_is_anything(ask):
    """At the first instruction, and at the start of kernel_main(): nothing to see, and no Python error."""
    said, _ = ask([*EARLY, "hbreak kernel_main", "continue", *EARLY])
    assert all(answer.startswith("Cannot access memory") for answer in said[: len(EARLY)])
    vmmap, pt, page, lru, locks, threads = said[len(EARLY) + 2 :]
    assert vmmap == pt == "CPU 0 runs nothing, in no address space; name a pid"
    assert page == "memory is not known yet" and "inactive_anon         0 folios" in lru and locks == ""
    assert len(threads.splitlines()) == 1


def test_locks(ask):
    """Where a lock has just been taken for writing; a release kernel knows less."""
    at_hold = [*AT_TARGET, "hbreak mmap_hold_begin", "continue", "locks"]
    held = ask(at_hold, "--knob", "lock_stat.hold=on")[0][-1]
    assert re.search(r"^target \(\d+\): \S*mmap_lock 0xffff[0-9a-f]+ since \w+", held, re.M), held
    assert re.search(r"^mmap_lock of target \(\d+\): written by target \(\d+\), 0 waiting$", held, re.M), held
    held = ask(at_hold, "--knob", "lock_stat.hold=on", debug=False)[0][-1]
    assert held.startswith("a release kernel does not keep what is held") and "written by target" in held


def test_waiters(ask):
    """A thread queues behind one that populates with the lock held for writing."""
    program = os.path.join(BUILD, "user", "lockstall")
    commands = ["hbreak unlock_and_populate", "continue", "delete", "hbreak park if $_caller_is(\"down_slow\", 1) || $_any_caller_is(\"mmap_lock_wait\", 5)",
                "continue", "locks", "threads", "delete"]  # fmt: skip
    said, _ = ask(commands, "--smp", 2, "--knob", "populate=under_write_lock", program=program)
    assert re.search(r"^mmap_lock of lockstall \(\d+\): written by lockstall \(\d+\), [1-9] waiting\n  lockstall \(\d+\) to ", said[5], re.M), said[5]
    assert len(re.findall(r"lockstall +CPU \d", said[6])) == 2
