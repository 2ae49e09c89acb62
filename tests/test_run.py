# SPDX-License-Identifier: MIT
"""./run from outside: streams, exit statuses, options, and that no machine stays behind."""

import os
import re
import signal
import subprocess
import time

import pexpect
import pytest
from conftest import TOP, run_argv

RUN = os.path.join(TOP, "run")


def shell(run, text, *options, **keywords):
    return run(*options, "--", "busybox", "sh", "-c", text, **keywords)


# ---- exit status ----


def test_pipeline_and_exit_status(run):
    done = shell(run, "for i in 1 2 3; do echo $i; done | wc -l; exit 7")
    assert (done.stdout, done.returncode) == (b"3\n", 7)


@pytest.mark.parametrize("name, number", [("SEGV", 11), ("TERM", 15), ("KILL", 9)])
def test_killed_by_a_signal(run, name, number):
    assert shell(run, f"kill -{name} $$").returncode == 128 + number


def test_segv_program(run, compile_program, tmp_path):
    program = compile_program("int main(void) { *(volatile int *)8 = 1; return 0; }", name="segv")
    assert run("--", program).returncode == 139


def test_timeout(run):
    started = time.monotonic()
    done = shell(run, "echo before; sleep 100", "--timeout", 15)
    assert (done.stdout, done.returncode) == (b"before\n", 124)
    assert time.monotonic() - started < 30


def test_panic_shows_the_log(run):
    done = shell(run, "true", "--append", "rdinit=/does/not/exist", "--append", "root=none", "--timeout", 60)
    assert done.returncode == 125
    assert b"panic" in done.stderr.lower()
    assert b"run: the " in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--", "/no/such/program"],
        ["--", "no-such-program"],
        ["--mem"],
        ["--mem", "much", "--", "true"],
        ["--smp", "0", "--", "true"],
        ["--kernel", "linux", "--icount", "--smp", "3", "--", "true"],
        ["--knob", "novalue", "--", "true"],
        ["--knob", "pupulate=eager", "--", "true"],
        ["--knob", "populate=never", "--", "true"],
        ["--kernel", "linux", "--knob", "populate=eager", "--", "true"],
        ["--share", "/no/such/directory", "--", "true"],
        ["--file", "/no/such/file", "--", "true"],
        ["--swap", "much", "--", "true"],
        ["--disk", "/no/such/image", "--", "true"],
        ["--disk", "1M,fail=sometimes", "--", "true"],
        ["--disk", "1M,nonsense", "--", "true"],
        ["--no-such-option", "--", "true"],
    ],
    ids=" ".join,
)
def test_usage_errors(arguments):
    done = subprocess.run([RUN, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr


def test_files_beyond_memory(tmp_path):
    """Said before the machine starts, with the memory that would do."""
    big = tmp_path / "big"
    with open(big, "wb") as f:
        f.truncate(60 << 20)
    done = subprocess.run([RUN, "--mem", "128M", "--file", big, "--", "busybox", "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == 1 and b"M or more" in done.stderr


# ---- streams ----

BINARY = bytes(range(256)) * 1021


def test_input_from_a_pipe(run):
    assert run("--", "cat", stdin=BINARY).stdout == BINARY


def test_input_from_a_file(run, tmp_path):
    (tmp_path / "in").write_bytes(BINARY)
    with open(tmp_path / "in", "rb") as f:
        assert run("--", "cat", stdin=f).stdout == BINARY


def test_no_input(run):
    assert shell(run, "cat; echo end").stdout == b"end\n"


def test_input_that_nobody_reads(run):
    assert run("--", "busybox", "true", stdin=BINARY).returncode == 0


def test_input_read_in_part(run):
    assert shell(run, "read a; read b; echo $b", stdin=b"one\ntwo\n" + BINARY).stdout == b"two\n"


def test_output_and_error_stay_apart(run):
    done = shell(run, "echo out; echo err >&2; echo out again")
    assert (done.stdout, done.stderr) == (b"out\nout again\n", b"err\n")


def test_streams_are_no_terminals(run):
    assert shell(run, "for i in 0 1 2; do [ -t $i ] && echo $i; done; true").stdout == b""


def test_much_output(run):
    done = shell(run, "dd if=/dev/zero bs=65536 count=32 2>/dev/null")
    assert done.stdout == bytes(32 * 65536)


def test_reader_that_leaves(kernel):
    command = " ".join(run_argv(kernel, "--", "busybox", "yes")) + " </dev/null | head -n 2"
    done = subprocess.run(command, shell=True, capture_output=True, timeout=60)
    assert done.stdout == b"y\ny\n"


def test_raw_console(run):
    done = shell(run, "printf 'a\\nb\\n'", "--console")
    assert done.stdout.endswith(b"a\nb\n")


# ---- what the program sees ----


def test_arguments_arrive_unchanged(run):
    arguments = ["two words", "", "*", "$HOME", "tab\there", "ümlaut", "--mem", "new\nline"]
    done = run("--", "busybox", "sh", "-c", 'for a in "$@"; do printf "<%s>\\n" "$a"; done', "sh", *arguments)
    assert done.stdout.decode() == "".join(f"<{a}>\n" for a in arguments)


def test_environment_and_directory(run):
    done = shell(run, "echo $A; echo $B; pwd", "--env", "A=1 2", "--env", "B=x=y", "--cwd", "/var/deep/er")
    assert done.stdout == b"1 2\nx=y\n/var/deep/er\n"


def test_another_user(run):
    done = shell(run, "id -u; id -g; id -G; grep CapEff /proc/self/status; touch /etc/x || echo refused", "--user", "65534")
    assert done.stdout.decode().split() == ["65534", "65534", "65534", "CapEff:", "0" * 16, "refused"]


def test_files_and_shared_directories(run, tmp_path):
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_text("content\n")
    (tree / "link").symlink_to("sub/file")
    done = shell(run, "cat /mnt/tree/sub/file /mnt/tree/link /opt/x", "--share", tree, "--file", f"{tree}/link:/opt/x")
    assert done.stdout == b"content\n" * 3


def test_script_with_an_interpreter(run, tmp_path):
    script = tmp_path / "script"
    script.write_text('#!/bin/bash\necho "$BASH_VERSION" "$0" "$1"\n')
    script.chmod(0o755)
    done = run("--", script, "argument")
    assert re.fullmatch(rb"\d+\.\d+\S* \S*script argument\n", done.stdout)


def test_not_executable(run, tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"\x7fELFnot really")
    plain.chmod(0o755)
    assert run("--", plain).returncode == 126


@pytest.mark.parametrize("size, low, high", [("128M", 90, 128), ("1G", 900, 1024), ("8G", 7800, 8192)])
def test_memory_size(run, size, low, high):
    done = shell(run, "grep MemTotal /proc/meminfo", "--mem", size)
    assert low * 1024 <= int(done.stdout.split()[1]) <= high * 1024


def test_icount_counts_instructions(run, compile_program):
    program = compile_program(
        """#include <stdio.h>
        static unsigned long tsc(void) { unsigned a, d; __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)); return d * (1UL << 32) + a; }
        int main(void) {
            unsigned long best = ~0UL;
            for (int i = 0; i < 50; i++) {
                unsigned long t = tsc(); __asm__ volatile(".rept 1000\\nnop\\n.endr"); t = tsc() - t;
                if (t < best) best = t;
            }
            printf("%lu\\n", best); return 0; }"""
    )
    done = run("--icount", "--", program)
    assert 1000 <= int(done.stdout) <= 1010


def test_icount_cpus_take_turns(compile_program):
    """Each CPU gets the same share of the time, and two runs give the same."""
    program = compile_program(
        """#define _GNU_SOURCE
        #include <pthread.h>
        #include <sched.h>
        #include <stdio.h>
        #include <unistd.h>
        static struct { volatile unsigned long n; char pad[64]; } counts[64];
        static volatile int begun, over;
        static void *work(void *arg) {
            long cpu = (long)arg;
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof(one), &one);
            while (!begun) usleep(100);
            while (!over) counts[cpu].n++;
            return 0;
        }
        int main(void) {
            long cpus = sysconf(_SC_NPROCESSORS_ONLN);
            pthread_t t[64];
            for (long i = 0; i < cpus; i++) pthread_create(&t[i], 0, work, (void *)i);
            usleep(20000);
            begun = 1;
            usleep(100000);
            over = 1;
            for (long i = 0; i < cpus; i++) pthread_join(t[i], 0);
            for (long i = 0; i < cpus; i++) printf("%lu ", counts[i].n);
            return 0; }""",
        "-pthread",
    )
    argv = run_argv("faultline", "--icount", "--smp", "4", "--", program)
    runs = [subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=90).stdout for _ in range(2)]
    counts = list(map(int, runs[0].split()))
    assert len(counts) == 4 and max(counts) < 1.2 * min(counts), counts
    assert runs[0] == runs[1]


# ---- a terminal ----


@pytest.fixture
def terminal(kernel):
    children = []

    def start(*args):
        argv = run_argv(kernel, *args)
        child = pexpect.spawn(argv[0], argv[1:], timeout=40, dimensions=(31, 97), encoding="utf-8")
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


PROMPT = r"[#$] "


def test_interactive_shell(terminal):
    child = terminal("--", "busybox", "sh")
    child.expect(PROMPT)
    child.sendline("stty size; tty")
    child.expect("31 97")
    child.expect("/dev/ttyS0")
    child.expect(PROMPT)
    child.sendline("sleep 100; echo status $?")
    time.sleep(1)
    child.sendcontrol("c")
    child.expect(PROMPT)
    child.sendline("cat | tr a-z A-Z")
    child.sendline("hello")
    child.sendcontrol("d")
    child.expect("HELLO")
    child.expect(PROMPT)
    child.sendline("exit 5")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5


def test_job_control(terminal):
    child = terminal("--", "busybox", "sh")
    child.expect(PROMPT)
    child.sendline("sleep 1000")
    time.sleep(1)
    child.sendcontrol("z")
    child.expect("Stopped")
    child.expect(PROMPT)
    child.sendline("bg; jobs; kill %1; wait; echo a$((40+2))")
    child.expect("a42")
    child.expect("Terminated")
    child.sendline("exit")
    child.expect(pexpect.EOF)


def test_control_a_x_leaves(terminal):
    child = terminal("--", "busybox", "sh")
    child.expect(PROMPT)
    child.send("\x01x")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


# ---- no machine stays behind ----


def machines_of(pid):
    """Its children that are QEMU by now: on the way there it may have others."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        children = [int(p) for p in f.read().split()]
    return [child for child in children if name_of(child).startswith("qemu")]


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read()
    except OSError:
        return ""


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_machine_ends_with_its_runner(kernel, number):
    runner = subprocess.Popen(run_argv(kernel, "--", "busybox", "sleep", "100"), stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        machines = wait_until(lambda: machines_of(runner.pid), 60)
        assert machines
        runner.send_signal(number)
        status = runner.wait(timeout=10)
        assert status == (-number if number == signal.SIGKILL else 128 + number)
        assert wait_until(lambda: not os.path.exists(f"/proc/{machines[0]}") or zombie(machines[0]), 5)
    finally:
        runner.kill()
        runner.wait()


def zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
