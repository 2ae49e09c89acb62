# SPDX-License-Identifier: MIT
"""Runs test programs in a guest, one boot for a list of them, and keeps the leak oracle's books.

A machine that dies takes only the program that ran with it: the rest goes on in the next machine.
"""

import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tools"))
import disks
import mkinitramfs
import vm

JOB_SECONDS = 120  # the guest ends a program after this long
STALL_SECONDS = 60  # the host ends a machine that says nothing for so much longer
ENVIRONMENT = {"PATH": mkinitramfs.GUEST_PATH, "HOME": "/root"}


@dataclass(frozen=True)
class Program:
    """What one job executes. The guest has it as path."""

    host: str
    path: str = ""  # default: its name in /usr/bin
    args: tuple = ()
    user: int | None = None
    cwd: str = "/"
    seconds: int = JOB_SECONDS
    files: tuple = ()  # (guest path, host path) of what else it needs

    @property
    def guest(self):
        return self.path or "/usr/bin/" + os.path.basename(self.host)


@dataclass
class JobResult:
    name: str
    status: int | None = None  # None: the machine ended first
    output: bytearray = field(default_factory=bytearray)
    trouble: str = ""  # what the machine said when it ended
    memory: dict = field(default_factory=dict)  # "before"/"after" -> {label of /proc/meminfo: KiB}
    caches: dict = field(default_factory=dict)  # "before"/"after" -> {cache: objects}
    wrong: str = ""  # what a debug kernel says that does not hold (/proc/validate)
    done: threading.Event = field(default_factory=threading.Event)

    def leak(self):
        """What the kernel did not get back or counts wrongly, as text; empty when all is right.

        Every slab cache must hold as many objects as before, and free memory must be what it was but for pages
        that the same objects spread over: a page may move between "free" and a half-empty slab.
        """
        if self.wrong:
            return f"the kernel's books are wrong: {self.wrong}"
        before, after = self.memory.get("before", {}), self.memory.get("after", {})
        if not all(m.get("MemFree") and m.get("Slab") for m in (before, after)):
            return f"the leak oracle has no figures: {self.memory}"
        old, new = self.caches.get("before", {}), self.caches.get("after", {})
        if before["MemFree"] + before["Slab"] == after["MemFree"] + after["Slab"] and old == new:
            return ""
        return f"leak: KiB: {changes(before, after)}; objects: {changes(old, new) or 'the same'}"


def changes(old, new):
    """The entries of two dictionaries of numbers that are not the same, as text."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name} {old.get(name, 0)} -> {new.get(name, 0)}" for name in names)


class BatchSession(vm.Session):
    """Feeds the control line of one machine into the results."""

    def __init__(self, config, results, patience):
        super().__init__(config)
        self.results = results
        self.patience = patience  # seconds of silence
        self.index = -1  # of the job that runs, or whose memory is being counted
        self.current = None
        self.books = ({}, {})
        self.heard = time.monotonic()

    def _loop(self, deadline):
        self.watch = threading.Thread(target=self._watch, daemon=True)
        self.watch.start()
        super()._loop(deadline)

    def _watch(self):
        while self.machine.process.poll() is None:
            if time.monotonic() - self.heard > self.patience:
                self.result.timed_out = True
                self.machine.kill()
            time.sleep(0.5)

    def _receive(self, sock):
        self.heard = time.monotonic()
        return super()._receive(sock)

    def on_output(self, stream, data):
        if self.current:
            self.current.output += data

    def on_line(self, line):
        word, _, rest = line.partition(" ")
        if word == "begin":
            self.index += 1
            self.current = self.results[self.index]
            self.current.memory, self.current.caches = self.books
        elif word == "end" and self.current:
            self.current.status = int(rest)
        elif word == "slab":
            when, cache, objects = rest.split(" ")
            if when == "before":
                self._next_books()
            self._books()[1].setdefault(when, {})[cache] = int(objects)
        elif word == "books" and self.current:
            self.current.wrong += rest
        elif word == "mem":
            when, label, *figure = rest.split(" ")
            if figure:
                self._books()[0].setdefault(when, {})[label] = int(figure[0])
            elif when == "after" and self.current:
                self.current.done.set()

    def _next_books(self):
        """The first "before" line opens the next job's books."""
        if self.current and "after" in self.current.memory:
            self.books = ({}, {})
            self.current = None

    def _books(self):
        return (self.current.memory, self.current.caches) if self.current else self.books


def warm_up():
    """A job whose result nobody looks at: what a first program leaves behind for good is no leak."""
    return JobResult("warm-up"), ["busybox", "true"], "/bin/busybox"


def boot(init, jobs, disk=None, swap=None, **config):
    """Boots one machine for [(result, program)], disk and swap: sizes; returns how many jobs have ended."""
    archive = mkinitramfs.base_archive(init)
    warm, argv, path = warm_up()
    its_disks = [disks.parse(disk)] if disk else []
    its_disks += [disks.swap_disk(swap)] if swap else []
    text = mkinitramfs.job_strings(warm.name, argv, path=path, env=ENVIRONMENT, cwd="/",
                                   swap=disks.guest_name(len(its_disks) - 1) if swap else None)  # fmt: skip
    for result, program in jobs:
        archive.program(program.guest, program.host)
        for guest, host in program.files:
            archive.tree(guest, host)
        archive.directory(program.cwd)
        text += mkinitramfs.job_strings(
            result.name, [program.guest, *program.args], path=program.guest, env=ENVIRONMENT, cwd=program.cwd,
            timeout=program.seconds, user=program.user)  # fmt: skip
    archive.text(mkinitramfs.JOBS_FILE, text)
    with tempfile.NamedTemporaryFile(prefix="faultline-", suffix=".cpio") as initrd:
        initrd.write(archive.bytes())
        initrd.flush()
        patience = max(program.seconds for _, program in jobs) + STALL_SECONDS
        results = [warm] + [result for result, _ in jobs]
        session = BatchSession(vm.Config(initrd=initrd.name, disks=its_disks, **config), results, patience)
        outcome = session.run()
    ended = sum(result.done.is_set() for result, _ in jobs)
    if ended < len(jobs):
        result = jobs[ended][0]
        what = "panicked" if outcome.panicked else "said nothing for too long" if outcome.timed_out else "stopped"
        result.trouble = f"the machine {what} (QEMU status {outcome.qemu})\n{outcome.complaint}\n"
        result.trouble += outcome.log.decode(errors="replace")
        result.done.set()
        ended += 1
    return ended


def run_batch(init, jobs, **config):
    """All jobs, in as few machines as it takes."""
    for result, program in jobs:
        if not os.path.exists(program.host):
            result.trouble = f"{program.host} was not built"
            result.done.set()
    jobs = [job for job in jobs if not job[0].done.is_set()]
    while jobs:
        jobs = jobs[boot(init, jobs, **config) :]


class Batch(threading.Thread):
    """run_batch() in the background, so that results can be reported as they come. programs: Program or its host path."""

    def __init__(self, init, programs, **config):
        super().__init__(daemon=True)
        self.programs = [Program(p) if isinstance(p, str) else p for p in programs]
        self.results = {p.host: JobResult(os.path.basename(p.host)) for p in self.programs}
        self.init, self.config, self.error = init, config, None

    def run(self):
        try:
            run_batch(self.init, [(self.results[p.host], p) for p in self.programs], **self.config)
        except BaseException as e:  # whoever waits must hear of it
            self.error = e
        for result in self.results.values():
            if not result.done.is_set():
                result.trouble = f"the batch ended early: {self.error}"
                result.done.set()

    def result(self, host):
        self.results[host].done.wait()
        return self.results[host]
