# SPDX-License-Identifier: MIT
"""Runs an experiment's points and keeps what they print: a line of JSON a run in $(O)/experiments/NAME/results.jsonl.

Repeats are the outer loop, so that the choices take turns and a busy host meets all of them. A run is known by its
command and by the contents of kernel and program: what is there already is not run again, whatever ended the last call,
and nothing is kept that another kernel has measured.
"""

import hashlib
import json
import os
import subprocess
import time

import bench_cases
from experiment_matrix import TOP, ExperimentError

# ---- what a program prints ----


def number(text):
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def parse(form, text):
    """Rows {column: value}.

    cases   case NAME median M mean X n COUNT       {"case": NAME, "median": M, "mean": X, "n": COUNT}
    fields  PART: name=value name=value ...         {"part": PART, name: value, ...}
    csv     a line of names, then lines of values
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if form == "csv":
        head = lines[0].split(",") if lines else []
        return [dict(zip(head, map(number, line.split(",")))) for line in lines[1:] if line.count(",") == len(head) - 1]
    rows = []
    for line in lines:
        words = line.split()
        if form == "cases" and words[0] == "case" and len(words) >= 4 and len(words) % 2 == 0:
            rows.append({"case": words[1], **{k: number(v) for k, v in zip(words[2::2], words[3::2])}})
        elif form == "fields" and words[0].endswith(":") and all("=" in word for word in words[1:]):
            rows.append({"part": words[0][:-1], **{k: number(v) for k, v in (word.split("=", 1) for word in words[1:])}})
    return rows


# ---- one run ----


def command(e, point, build_dir):
    """(argv, folder to call it in): a program of the build directory has the same path in each guest."""
    build_dir = os.path.abspath(build_dir)
    words = [os.path.join(TOP, "run"), "--no-build", "--build-dir", build_dir, "--kernel", point.kernel, "--console", "--mem", point.mem,
             "--smp", str(point.smp), "--timeout", str(e.timeout)]  # fmt: skip
    words += ["--icount"] * e.icount
    words += [word for disk in e.disk for word in ("--disk", disk)]
    words += ["--swap", e.swap] if e.swap else []
    words += [word for item in e.files for word in ("--file", os.path.join(build_dir, item))]
    words += [word for name, value in point.knobs for word in ("--knob", f"{name}={value}")]
    folder, name = os.path.split(e.program)
    return words + ["--", f"./{name}" if folder else name, *e.arguments(point)], os.path.join(build_dir, folder)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:16]


def images(e, build_dir):
    """What was measured: {what: digest}."""
    paths = {"faultline": "kernel.elf", "linux": os.path.join("linux", "vmlinuz")}
    found = {kernel: os.path.join(build_dir, paths[kernel]) for kernel in e.kernels}
    programs = [e.program] + [item.partition(":")[0] for item in e.files]
    found |= {program: os.path.join(build_dir, program) for program in programs if "/" in program}
    for path in found.values():
        if not os.path.exists(path):
            raise ExperimentError(f"{path} does not exist")
    return {what: digest(path) for what, path in found.items()}


def key(e, point, repeat, seen):
    """Names a run; the other kernel's image is none of its business."""
    mine = {what: value for what, value in seen.items() if what not in ("faultline", "linux") or what == point.kernel}
    what = [e.program, e.arguments(point), e.icount, e.disk, e.swap, e.files, point.kernel, point.smp, point.mem, point.knobs, repeat, mine]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:20]


def run_once(e, point, build_dir):
    """{"rows": [...]}, or {"error": text}"""
    argv, folder = command(e, point, build_dir)
    done = subprocess.run(argv, cwd=folder, env={**os.environ, "TERM": "linux"}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")  # fmt: skip
    last = "\n".join(done.stdout.splitlines()[-12:])
    if done.returncode:
        return {"error": f"status {done.returncode}\n{last}"}
    rows = parse(e.format, done.stdout)
    return {"rows": rows} if rows else {"error": f"no figures\n{last}"}


# ---- all of them ----


class Results:
    """The file of results, by key. Of a key that is there twice the last counts."""

    def __init__(self, path):
        self.path, self.by_key = path, {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                for line in f:
                    try:
                        entry = json.loads(line)
                    except json.JSONDecodeError:
                        continue  # the machine died while it was written
                    self.by_key[entry["key"]] = entry

    def good(self, key):
        return "rows" in self.by_key.get(key, {})

    def add(self, entry):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        broken = os.path.exists(self.path) and not self._ends_with_newline()
        with open(self.path, "a", encoding="utf-8") as f:
            f.write("\n" * broken + json.dumps(entry) + "\n")
        self.by_key[entry["key"]] = entry

    def _ends_with_newline(self):
        with open(self.path, "rb") as f:
            f.seek(0, os.SEEK_END)
            if f.tell():
                f.seek(-1, os.SEEK_END)
                return f.read(1) == b"\n"
        return True


def plan(e, build_dir):
    """[(key, point, repeat)], in the order they are run in."""
    seen = images(e, build_dir)
    return [(key(e, point, n, seen), point, n) for n in range(1, e.repeats + 1) for point in e.points()]


def seconds_left(todo, entries, now):
    """What the runs to do will take if they are as long as those of their point, else of their kernel; None: unknown."""
    total = 0.0
    for point in todo:
        like = [d["seconds"] for d in entries if d["what"] == str(point)] or [d["seconds"] for d in entries if d["kernel"] == point.kernel]
        like = like or [now]
        if like[0] is None:
            return None
        total += sum(like) / len(like)
    return total


def duration(seconds):
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def run_all(e, build_dir, results, say=print, once=run_once):
    """Runs what is missing; the number of runs that failed."""
    seen = images(e, build_dir)
    todo = [(k, point, n) for k, point, n in plan(e, build_dir) if not results.good(k)]
    total = len(e.points()) * e.repeats
    if len(todo) < total:
        say(f"experiment {e.name}: {total - len(todo)} of {total} runs are there already")
    done, failed = [], 0
    for number_done, (k, point, n) in enumerate(todo):
        left = seconds_left([p for _, p, _ in todo[number_done:]], done, done[-1]["seconds"] if done else None)
        say(f"experiment {e.name}: {total - len(todo) + number_done + 1} of {total}: {point}, run {n} of {e.repeats}"
            + (f"; {duration(left)} left" if left is not None else ""))  # fmt: skip
        start = time.monotonic()
        outcome = once(e, point, build_dir)
        if images(e, build_dir) != seen:
            raise ExperimentError("kernel or program were built anew meanwhile; the same command starts over with them")
        entry = {"key": k, "what": str(point), "kernel": point.kernel, "version": bench_cases.our_version(), "repeat": n,
                 "seconds": round(time.monotonic() - start, 2), **outcome}  # fmt: skip
        results.add(entry)
        done.append(entry)
        if "error" in outcome:
            failed += 1
            say(f"experiment {e.name}: {point}: {outcome['error']}")
    return failed
