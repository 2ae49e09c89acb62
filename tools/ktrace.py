# SPDX-License-Identifier: MIT
"""Trace records: out of a machine's memory, into Linux's ftrace text or Chrome's trace JSON.

The kernel keeps its records in rings (kernel/trace/ring.c); `trace_memory` there says where everything is, the table of
events included, so nothing about an event is written down twice. The memory is read after the machine has stopped,
however it stopped.
"""

import json
import os
import struct
from dataclasses import dataclass

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = 4096
PAGE_HEADER = 24
RECORD = struct.Struct("<QHBBi")
PTR, HEX, NUM, FLAG, COMM, SYM = range(6)
IRQS_OFF, NEED_RESCHED, HARDIRQ = 1, 4, 8


class TraceError(Exception):
    pass


@dataclass
class Event:
    name: str
    system: str
    text: str
    fields: list  # (name, kind, symbols)


@dataclass
class Record:
    time: int  # ns
    cpu: int
    event: Event
    flags: int
    pid: int
    values: dict  # by field: int, bool or str


@dataclass
class Trace:
    records: list  # in order of time
    comms: dict  # by pid
    written: int
    lost: list  # by CPU: records that were overwritten


def symbol(kernel, name):
    """An address, from the ELF file's symbol table."""
    with open(kernel, "rb") as f:
        data = f.read()
    shoff, shentsize, shnum = struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shentsize) for i in range(shnum)]
    for kind_symtab in (s for s in sections if s[1] == 2):
        strings = sections[kind_symtab[6]][4]
        for at in range(kind_symtab[4], kind_symtab[4] + kind_symtab[5], 24):
            st_name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", data, at)
            start = strings + st_name
            if data[start : start + len(name) + 1] == name.encode() + b"\0":
                return value
    raise TraceError(f"{kernel} has no symbol {name}")


class Memory:
    """The machine's RAM by kernel address. low: bytes of it below 4 GiB."""

    def __init__(self, ram, low, direct_map=0, image=0):
        self.ram, self.low, self.direct_map, self.image = ram, low, direct_map, image

    def offset(self, address):
        physical = address - (self.image if address >= self.image else self.direct_map)
        return physical if physical < 1 << 32 else physical - (1 << 32) + self.low

    def read(self, address, size):
        at = self.offset(address)
        return self.ram[at : at + size]

    def words(self, address, n):
        return struct.unpack(f"<{n}Q", self.read(address, 8 * n))

    def string(self, address):
        at = self.offset(address)
        return self.ram[at : self.ram.find(b"\0", at)].decode()


def read_events(memory, table, systems, count):
    ranges = []
    while (entry := memory.words(systems, 3)[0:2])[0]:
        first, end = struct.unpack("<II", struct.pack("<Q", entry[1]))
        ranges.append((memory.string(entry[0]), first, end))
        systems += 16
    events = [None] * count
    for number in range(count):
        name, text, fields, sizes = memory.words(table + 32 * number, 4)
        if not name:
            continue
        system = next(s for s, first, end in ranges if first <= number < end)
        described = []
        for i in range(sizes & 0xFFFFFFFF):
            field, symbols, kind = memory.words(fields + 24 * i, 3)
            described.append((memory.string(field), kind, memory.string(symbols).split("|") if symbols else None))
        events[number] = Event(memory.string(name), system, memory.string(text), described)
    return events


def comm_text(data):
    return data.split(b"\0")[0].decode(errors="replace")


def parse_values(event, data, at):
    values = {}
    for name, kind, symbols in event.fields:
        word = struct.unpack_from("<q" if kind == NUM else "<Q", data, at)[0]
        if kind == COMM:
            values[name] = comm_text(data[at : at + 16])
            at += 8
        elif kind == SYM:
            values[name] = symbols[word] if word < len(symbols) else str(word)
        else:
            values[name] = bool(word) if kind == FLAG else word
        at += 8
    return values, at


def read_page(data, cpu, events, out):
    used = struct.unpack_from("<I", data, 16)[0]
    at, end = PAGE_HEADER, PAGE_HEADER + min(used, PAGE - PAGE_HEADER)
    n = 0
    while at < end:
        time, number, flags, _, pid = RECORD.unpack_from(data, at)
        values, at = parse_values(events[number], data, at + RECORD.size)
        out.append(Record(time, cpu, events[number], flags, pid, values))
        n += 1
    return n


def read_ring(memory, ring, cpu, events, out):
    """Adds the ring's records; returns how many were written and how many of those are lost."""
    pages, nr_pages, serial, written = memory.words(ring, 4)
    if not pages:
        return 0, 0
    addresses = memory.words(pages, nr_pages)
    lost = None
    for number in range(max(0, serial - nr_pages + 1), serial + 1):
        data = memory.read(addresses[number % nr_pages], PAGE)
        tag, first = struct.unpack_from("<QQ", data)
        if tag != number + 1:
            continue
        if lost is None:
            lost = first
        read_page(data, cpu, events, out)
    return written, lost or 0


def read_memory(ram, kernel, low=0):
    """The trace in a stopped machine's RAM."""
    at = symbol(kernel, "trace_memory")
    image = 0xFFFFFFFF80000000
    memory = Memory(ram, low, 0, image)
    if memory.read(at, 8) != b"FLTRACE\0":
        raise TraceError("the kernel has not come as far as tracing")
    version, nr_events, nr_rings, ring_size, nr_comms, table, systems, rings, comms, direct, image = memory.words(at + 8, 11)
    if version != 1:
        raise TraceError(f"the kernel's trace format is {version}, not 1")
    memory = Memory(ram, low, direct, image)
    events = read_events(memory, table, systems, nr_events)
    names = {}
    for i in range(nr_comms):
        data = memory.read(comms + 20 * i, 20)
        pid = struct.unpack_from("<i", data)[0]
        if pid:
            names[pid] = comm_text(data[4:])
    records, written, lost = [], 0, []
    for cpu in range(nr_rings):
        w, gone = read_ring(memory, rings + cpu * ring_size, cpu, events, records)
        written += w
        lost.append(gone)
    records.sort(key=lambda r: r.time)
    return Trace(records, names, written, lost)


# ---- ftrace's text ----

HEADER = """\
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
"""


def value_text(kind, value):
    if kind == PTR:
        return f"{value:016x}"
    if kind == HEX:
        return f"{value:x}"
    return ("false", "true")[value] if kind == FLAG else str(value)


def message(record):
    """The event's own words."""
    parts = []
    fields = iter(record.event.fields)
    text = iter(record.event.text)
    for c in text:
        if c != "%":
            parts.append(c)
            continue
        next(text)
        name, kind, _ = next(fields)
        parts.append(value_text(kind, record.values[name]))
    return "".join(parts)


def comm_of(trace, pid):
    return trace.comms.get(pid, "<...>") if pid else "<idle>"


def line(trace, r):
    flags = "".join(("." if not r.flags & bit else letter) for bit, letter in ((IRQS_OFF, "d"), (NEED_RESCHED, "N"), (HARDIRQ, "h")))
    us = r.time // 1000
    return (f"{comm_of(trace, r.pid):>16}-{r.pid:<7} [{r.cpu:03}] {flags}.. {us // 1000000:5}.{us % 1000000:06}: "
            f"{r.event.name}: {message(r)}\n")  # fmt: skip


def write_text(trace, out):
    cpus = max((r.cpu for r in trace.records), default=0) + 1
    out.write("# tracer: nop\n#\n")
    out.write(f"# entries-in-buffer/entries-written: {len(trace.records)}/{trace.written}   #P:{cpus}\n#\n")
    for cpu, lost in enumerate(trace.lost):
        if lost:
            out.write(f"# CPU:{cpu} [LOST {lost} EVENTS]\n")
    out.write(HEADER)
    for r in trace.records:
        out.write(line(trace, r))


# ---- Chrome's JSON, which Perfetto's UI reads ----


def syscall_names():
    names = {}
    try:
        with open(os.path.join(TOP, "kernel", "syscalls.def"), encoding="utf-8") as f:
            for text in f:
                if text.startswith("SYSCALL("):
                    number, name = text[8 : text.index(")")].split(",")
                    names[int(number)] = name.strip()
    except OSError:
        pass
    return names


CPUS = 0  # the "process" whose threads are the CPUs; pids of programs are greater


class Track:
    """Slices of one thread, or of one CPU: a stack, so that they nest and never overlap. Everything is at `time`."""

    def __init__(self, pid, tid, out):
        self.pid, self.tid, self.out = pid, tid, out
        self.stack = []  # (name, begin, args)
        self.time = 0

    def at(self, time):
        """Clocks of two CPUs may differ a little; on a track time does not go back."""
        self.time = max(self.time, time)
        return self

    def begin(self, name, args=None):
        self.stack.append((name, self.time, dict(args or {})))

    def slice(self, name, begin, end, args=None):
        """One that is known whole; inside what is open."""
        if self.stack:
            begin = max(begin, self.stack[-1][1])
        self.out.append({"ph": "X", "name": name, "pid": self.pid, "tid": self.tid, "ts": begin / 1000, "dur": (end - begin) / 1000, "args": args or {}})

    def open(self, name):
        return any(entry[0] == name for entry in self.stack)

    def end(self, name, args=None):
        """Ends the innermost slice called so, and what is still open inside. False: its begin was lost."""
        if not self.open(name):
            return False
        while True:
            got, begin, more = self.stack.pop()
            if got == name:
                more.update(args or {})
            self.slice(got, begin, self.time, more)
            if got == name:
                return True

    def instant(self, name, args=None):
        self.out.append({"ph": "i", "s": "t", "name": name, "pid": self.pid, "tid": self.tid, "ts": self.time / 1000, "args": args or {}})

    def close(self):
        while self.stack:
            name, begin, args = self.stack.pop()
            self.slice(name, begin, self.time, args)


@dataclass
class Fault:
    """Where in its fault a task is."""

    begin: int  # of this try
    phase: int  # when the present phase began
    part: int  # and what comes next in it
    zero: int | None = None  # when it began to zero a page


class Threads:
    """What each task did: system calls, faults and their phases, waits, populate, reclaim, nested as they happened."""

    PID = 1

    def __init__(self, out):
        self.out, self.tracks, self.names = out, {}, syscall_names()
        self.faults = {}  # by task

    def track(self, tid):
        if tid not in self.tracks:
            self.tracks[tid] = Track(self.PID, tid, self.out)
        return self.tracks[tid]

    def record(self, r):
        # What an interrupt does is not what the task was at.
        handler = None if r.flags & HARDIRQ else getattr(self, "on_" + r.event.name, None)
        track = self.track(r.pid).at(r.time)
        if handler:
            handler(track, r)
        else:
            track.instant(r.event.name, r.values)

    def close(self, time):
        for track in self.tracks.values():
            track.at(time).close()

    # A task that comes from user mode has nothing open any more.

    def on_sys_enter(self, track, r):
        track.close()
        number = r.values["id"]
        arguments = {name: f"{value:#x}" for name, value in r.values.items() if name != "id"}
        track.begin("sys_" + self.names.get(number, str(number)), arguments)

    def on_sys_exit(self, track, r):
        number = r.values["id"]
        track.end("sys_" + self.names.get(number, str(number)), {"ret": r.values["ret"]})

    def on_page_fault_user(self, track, r):
        track.close()
        self.on_page_fault_kernel(track, r)

    def on_page_fault_kernel(self, track, r):
        track.begin("fault", {name: f"{value:#x}" for name, value in r.values.items()})
        self.faults[r.pid] = Fault(track.time, track.time, track.time)

    def next_phase(self, track, fault):
        fault.phase = fault.part = track.time
        fault.zero = None

    def on_fault_retry(self, track, r):
        """All so far was the try with the vma's lock."""
        fault = self.faults.get(r.pid)
        if not fault:
            return
        track.slice("given up", fault.begin, track.time, {"result": r.values["result"]})
        fault.begin = track.time
        self.next_phase(track, fault)

    def on_fault_exit(self, track, r):
        track.end("fault", {"result": r.values["result"]})
        self.faults.pop(r.pid, None)

    def on_fault_phase(self, track, r):
        fault = self.faults.get(r.pid)
        if fault:
            track.slice(r.values["phase"], fault.phase, track.time)
            self.next_phase(track, fault)

    def on_fault_zero(self, track, r):
        if r.pid in self.faults:
            self.faults[r.pid].zero = track.time

    def on_mm_page_alloc(self, track, r):
        fault = self.faults.get(r.pid)
        if not fault:
            return
        allocated = fault.zero or track.time
        track.slice("allocate", fault.part, allocated, {"order": r.values["order"]})
        if fault.zero:
            track.slice("zero", fault.zero, track.time)
        fault.part, fault.zero = track.time, None

    def on_mmap_lock_start_locking(self, track, r):
        track.begin("mmap_lock " + ("write" if r.values["write"] else "read"))

    def on_mmap_lock_acquire_returned(self, track, r):
        write = r.values["write"]
        waited = track.end("mmap_lock " + ("write" if write else "read"), {"success": r.values["success"]})
        if write and r.values["success"]:
            track.begin("mmap_lock held for writing")
        if waited and r.pid in self.faults:
            self.next_phase(track, self.faults[r.pid])

    def on_mmap_lock_released(self, track, r):
        if r.values["write"]:
            track.end("mmap_lock held for writing")

    def on_mlock_begin(self, track, r):
        track.begin(r.values["op"], {"start": f"{r.values['start']:#x}", "len": r.values["len"]})

    def on_mlock_end(self, track, r):
        track.end(r.values["op"], {"ret": r.values["ret"]})

    def on_populate_batch_begin(self, track, r):
        track.begin("populate", {name: f"{value:#x}" for name, value in r.values.items()})

    def on_populate_batch_end(self, track, r):
        track.end("populate", {"pages": r.values["pages"], "ret": r.values["ret"]})

    def on_mm_vmscan_direct_reclaim_begin(self, track, r):
        track.begin("direct reclaim", {"order": r.values["order"]})

    def on_mm_vmscan_direct_reclaim_end(self, track, r):
        track.end("direct reclaim", r.values)

    def on_mm_vmscan_kswapd_wake(self, track, r):
        track.begin("kswapd")

    def on_mm_vmscan_kswapd_sleep(self, track, r):
        track.end("kswapd")

    def on_sched_switch(self, track, r):
        if r.values["prev_state"] in ("Z", "X"):
            track.close()


class Cpus:
    """Who ran where."""

    def __init__(self, out):
        self.out, self.tracks = out, {}

    def track(self, cpu):
        if cpu not in self.tracks:
            self.tracks[cpu] = Track(CPUS, cpu, self.out)
        return self.tracks[cpu]

    def record(self, r):
        track = self.track(r.cpu)
        if r.event.name != "sched_switch":
            return
        track.at(r.time).close()
        if r.values["next_pid"]:
            track.begin(f"{r.values['next_comm']}-{r.values['next_pid']}")

    def close(self, time):
        for track in self.tracks.values():
            track.at(time).close()


def named(pid, tid, what, name):
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def whole_from(trace):
    """The time from which no CPU's events are missing: tasks change CPUs, and each CPU has lost its own oldest ones."""
    first = {}
    for r in trace.records:
        first.setdefault(r.cpu, r.time)
    return max((first[cpu] for cpu, lost in enumerate(trace.lost) if lost and cpu in first), default=0)


def chrome_events(trace, start):
    out = []
    cpus, threads = Cpus(out), Threads(out)
    for cpu, lost in enumerate(trace.lost):
        if lost:
            cpus.track(cpu).at(start).instant(f"LOST {lost} EVENTS")
    for r in trace.records:
        if r.time < start:
            continue
        cpus.record(r)
        if r.pid:
            threads.record(r)
    end = trace.records[-1].time if trace.records else 0
    cpus.close(end)
    threads.close(end)
    # A slice before those inside it, though they may begin together.
    out.sort(key=lambda e: (e["ts"], -e.get("dur", 0)))
    names = [named(CPUS, 0, "process_name", "CPUs"), named(Threads.PID, 0, "process_name", "Tasks")]
    names += [named(CPUS, cpu, "thread_name", f"CPU {cpu}") for cpu in sorted(cpus.tracks)]
    names += [named(Threads.PID, tid, "thread_name", f"{comm_of(trace, tid)}-{tid}") for tid in sorted(threads.tracks)]
    return names + out


def write_json(trace, out):
    start = whole_from(trace)
    cut = sum(r.time < start for r in trace.records)
    other = {"events": len(trace.records) - cut, "written": trace.written, "lost": sum(trace.lost), "cut": cut}
    out.write('{"displayTimeUnit": "ns", "otherData": ' + json.dumps(other) + ', "traceEvents": [\n')
    out.write(",\n".join(json.dumps(e) for e in chrome_events(trace, start)))
    out.write("\n]}\n")
