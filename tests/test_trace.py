# SPDX-License-Identifier: MIT
"""./run --trace: what a storm of faults leaves, as Perfetto and as Linux's tools would read it.

Perfetto's own trace processor is no part of this: check_chrome() holds the file against what the format demands of it
(the "Trace Event Format" document) and, beyond that, against what a reader of these traces relies on.
"""

import collections
import json
import os
import re

import pytest
from conftest import TOP

STORM = """
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#define PAGES 64
#define LEN (PAGES * 4096UL)
static void *storm(void *rounds) {
	for (long i = 0; i < (long)rounds; i++) {
		char *p = mmap(0, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		madvise(p, LEN, MADV_NOHUGEPAGE);
		for (int n = 0; n < PAGES; n++) p[n * 4096] = 1;
		munmap(p, LEN);
	}
	return 0;
}
int main(void) {
	pthread_t t[4];
	for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, storm, (void *)10);
	for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
	char *p = mmap(0, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mlock(p, LEN);
	munlock(p, LEN);
	mmap(0, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return 0;
}
"""
THREADS, ROUNDS, PAGES = 4, 10, 64


@pytest.fixture
def kernel():
    return "faultline"


@pytest.fixture
def storm(compile_program):
    return compile_program(STORM, "-pthread", name="storm")


def traced(run, path, *arguments, status=0):
    done = run("--trace", path, *arguments)
    assert done.returncode == status, done.stderr.decode(errors="replace")
    with open(path, encoding="utf-8") as f:
        return f.read(), done.stderr.decode()


# ---- Chrome's JSON ----


def nanoseconds(microseconds):
    """Times are written with three digits behind the point; floats would not compare."""
    value = round(microseconds * 1000)
    assert abs(value / 1000 - microseconds) < 1e-6
    return value


def check_event(event):
    assert event["ph"] in ("M", "X", "i"), event
    assert isinstance(event["name"], str) and event["name"], event
    assert isinstance(event["pid"], int) and isinstance(event["tid"], int), event
    assert isinstance(event.get("args", {}), dict), event
    if event["ph"] == "M":
        assert event["name"] in ("process_name", "thread_name") and event["args"]["name"], event
        return
    assert event["ts"] >= 0, event
    if event["ph"] == "X":
        assert event["dur"] >= 0, event
    else:
        assert event["s"] in ("g", "p", "t"), event


def check_track(track, events):
    """Times do not go back; a slice lies inside the one that is open when it begins, or behind it."""
    last, stack = 0, []
    for event in events:
        begin = nanoseconds(event["ts"])
        end = begin + nanoseconds(event.get("dur", 0))
        assert begin >= last, (track, event)
        last = begin
        while stack and stack[-1][0] <= begin:
            stack.pop()
        if event["ph"] == "X":
            assert not stack or end <= stack[-1][0], (track, stack[-1], event)
            stack.append((end, event["name"]))


def check_chrome(text):
    """Returns its slices and instants by track."""
    trace = json.loads(text)
    assert set(trace) == {"displayTimeUnit", "otherData", "traceEvents"}
    named, tracks = set(), collections.defaultdict(list)
    for event in trace["traceEvents"]:
        check_event(event)
        if event["ph"] != "M":
            tracks[event["pid"], event["tid"]].append(event)
        elif event["name"] == "thread_name":
            named.add((event["pid"], event["tid"]))
    for track, events in tracks.items():
        assert track in named, track
        check_track(track, events)
    return trace["otherData"], tracks


def inside(events, outer, inner):
    """For each slice called outer: the names of those called one of inner that it contains."""
    open_slice, found = None, []
    for event in events:
        if event["ph"] != "X":
            continue
        if event["name"] == outer:
            open_slice = event
            found.append([])
        elif event["name"] in inner and open_slice and event["ts"] + event["dur"] <= open_slice["ts"] + open_slice["dur"]:
            found[-1].append(event["name"])
    return found


PHASES = ["lookup", "allocate", "zero", "folio", "install"]


@pytest.mark.parametrize("lock", ["vma", "mmap"])
@pytest.mark.parametrize("cpus, options", [(1, ()), (4, ()), (4, ("--debug",)), (1, ("--icount",))])
def test_chrome(run, tmp_path, storm, lock, cpus, options):
    text, said = traced(run, tmp_path / "out.json", "--knob", f"fault.lock={lock}", *options, "--smp", cpus, "--", storm)
    other, tracks = check_chrome(text)
    assert other["lost"] == 0 and other["events"] == other["written"] and "lost" not in said
    assert {tid for pid, tid in tracks if pid == 0} <= set(range(cpus))
    storms = [events for (pid, tid), events in tracks.items() if pid == 1 and sum(e["name"] == "fault" for e in events) >= ROUNDS * PAGES]
    assert len(storms) == THREADS
    for events in storms:
        phases = inside(events, "fault", {"mmap_lock read", *PHASES})
        whole = [p for p in phases if sorted(p) == sorted(PHASES + ["mmap_lock read"] * (lock == "mmap"))]
        assert len(whole) >= ROUNDS * PAGES * 0.9, collections.Counter(map(tuple, phases))
    everything = [e["name"] for events in tracks.values() for e in events]
    for name in ("sys_mmap", "sys_munmap", "sys_mlock", "mlock", "munlock", "populate", "mmap_lock write", "tlb_flush"):
        assert name in everything, name


@pytest.mark.parametrize("cpus", [1, 4])
def test_a_fault_that_begins_again(run, tmp_path, compile_program, cpus):
    """Below a stack there is no vma to lock. What was tried is a slice, before the wait for mmap_lock."""
    text = """
    int main(void) {
        for (int n = 1; n <= 100; n++) ((volatile char *)__builtin_frame_address(0))[-4096L * n] = 1;
        return 0;
    }"""
    text, _ = traced(run, tmp_path / "out.json", "--smp", cpus, "--", compile_program(text, name="grow"))
    _, tracks = check_chrome(text)
    events = max(tracks.values(), key=lambda events: sum(e["name"] == "given up" for e in events))
    faults = [f for f in inside(events, "fault", {"given up", "mmap_lock read", *PHASES}) if "given up" in f]
    assert len(faults) >= 60  # a stack begins with some pages
    for names in faults:
        assert names[:3] == ["given up", "mmap_lock read", "lookup"], names


def test_a_thread_runs_on_one_cpu_at_a_time(run, tmp_path, storm):
    text, _ = traced(run, tmp_path / "out.json", "--smp", 4, "--", storm)
    running = collections.defaultdict(list)
    for (pid, _), events in check_chrome(text)[1].items():
        for event in events:
            if pid == 0 and event["ph"] == "X":
                running[event["name"]].append((event["ts"], event["ts"] + event["dur"]))
    assert any(len(spans) > 1 for spans in running.values())
    for name, spans in running.items():
        spans.sort()
        for (_, end), (begin, _) in zip(spans, spans[1:]):
            assert begin >= end - 1, (name, end, begin)  # us: a switch takes its own time


@pytest.mark.parametrize("cpus", [1, 4])
def test_lost_events_are_counted(run, tmp_path, storm, cpus):
    text, said = traced(run, tmp_path / "out.json", "--smp", cpus, "--trace-buffer", 64, "--", storm)
    other, tracks = check_chrome(text)
    assert other["lost"] > 1000 and other["written"] == other["events"] + other["lost"] + other["cut"]
    assert f"{other['lost']} before them are lost" in said
    marks = [e["name"] for (pid, _), events in tracks.items() if pid == 0 for e in events if e["name"].startswith("LOST ")]
    assert sum(int(name.split()[1]) for name in marks) == other["lost"]


def test_swap_and_reclaim(run, tmp_path, compile_program):
    text = """
    #include <sys/mman.h>
    int main(void) {
        unsigned long n = 160UL << 20;
        char *p = mmap(0, n, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int k = 0; k < 2; k++) for (unsigned long i = 0; i < n; i += 4096) p[i]++;
        return 0;
    }"""
    program = compile_program(text, name="big")
    out, _ = traced(run, tmp_path / "out.json", "--mem", "128M", "--swap", "256M", "--trace-buffer", 8192,
                    "--trace-events", "vmscan,swap,sched", "--", program)  # fmt: skip
    _, tracks = check_chrome(out)
    everything = {e["name"] for events in tracks.values() for e in events}
    assert {"swap_read", "swap_write", "mm_vmscan_lru_shrink_inactive"} <= everything
    assert {"kswapd", "direct reclaim"} & everything


# ---- ftrace's text ----

LINE = re.compile(r" *(.{1,16})-(\d+) +\[(\d{3})\] ([d.])([N.])([h.])\.\. +(\d+)\.(\d{6}): (\w+): (.*)")


def parse_text(text):
    found = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        found.append((int(match[7]) * 1000000 + int(match[8]), int(match[3]), int(match[2]), match[9], match[10]))
    return found


def events_of_the_table():
    with open(os.path.join(TOP, "include", "kern", "trace_events.def"), encoding="utf-8") as f:
        return set(re.findall(r"^TRACE_EVENT\((\w+),", f.read(), re.M))


@pytest.mark.parametrize("cpus", [1, 4])
def test_text(run, tmp_path, storm, cpus):
    text, _ = traced(run, tmp_path / "out.txt", "--smp", cpus, "--", storm)
    assert text.startswith("# tracer: nop\n#\n# entries-in-buffer/entries-written: ")
    lines = parse_text(text)
    kept, written = map(int, re.search(r"entries-written: (\d+)/(\d+)", text).groups())
    assert len(lines) == kept == written
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    assert {line[3] for line in lines} <= events_of_the_table()
    count = collections.Counter(line[3] for line in lines)
    assert count["page_fault_user"] >= THREADS * ROUNDS * PAGES
    # All but what began before the trace, or had not ended after it.
    taken = [line for line in lines if re.fullmatch(r"mm=[0-9a-f]{16} memcg_path= write=(true|false) success=true", line[4])]
    assert abs(len(taken) - count["mmap_lock_released"]) <= 2


def test_selected_events(run, tmp_path, storm):
    text, _ = traced(run, tmp_path / "out.txt", "--trace-events", "exceptions,sched:sched_switch,mmap_lock_released", "--", storm)
    assert {line[3] for line in parse_text(text)} <= {"page_fault_user", "page_fault_kernel", "sched_switch", "mmap_lock_released"}


def test_same_instructions_same_trace(run, tmp_path, storm):
    runs = [traced(run, tmp_path / f"{n}.txt", "--icount", "--trace-events", "fault,exceptions", "--", storm)[0] for n in range(2)]
    assert runs[0] == runs[1]


# ---- however the machine ends ----


def test_timeout_leaves_a_trace(run, tmp_path):
    text, _ = traced(run, tmp_path / "out.txt", "--timeout", 10, "--", "busybox", "sh", "-c", "sleep 100", status=124)
    assert any(line[3] == "sys_enter" for line in parse_text(text))


def test_memory_above_4_gib(run, tmp_path):
    text, _ = traced(run, tmp_path / "out.txt", "--mem", "6G", "--trace-buffer", 1024, "--", "busybox", "true")
    assert any(line[3] == "sys_enter" for line in parse_text(text))


@pytest.mark.parametrize("arguments", [("--trace", "/no/such/directory/x"), ("--kernel", "linux", "--trace", "x")])
def test_refused(run, arguments):
    assert run(*arguments, "--", "true").returncode == 2
