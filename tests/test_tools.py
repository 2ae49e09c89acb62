# SPDX-License-Identifier: MIT
"""The tools of user/ that people look at: on this Linux, on the distribution's kernel, on Faultline."""

import os
import re
import resource
import subprocess

import pexpect
import pytest
from conftest import BUILD, skip_without

pytestmark = pytest.mark.natively

LOCKS = os.path.join(BUILD, "user", "locks")

# Mappings of every kind at known places, and a look at them: argv[1] is the program locks.
KNOWN = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#define PAGE 4096L
#define SLOT(n) ((char *)0x10000000 + (n) * 0x1000000L)
#define FIXED (MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS)

static char *map(int slot, long pages, int prot)
{
	char *p = mmap(SLOT(slot), pages * PAGE, prot, FIXED, -1, 0);

	madvise(p, pages * PAGE, 15 /* MADV_NOHUGEPAGE */);
	return p;
}

static void touch(char *p, long from, long to, long step)
{
	for (; from < to; from += step)
		p[from * PAGE] = 1;
}

int main(int argc, char **argv)
{
	char pid[16], *p;
	int fd = memfd_create("both", 0);

	mlock(map(0, 8, PROT_READ | PROT_WRITE), 8 * PAGE);
	p = map(1, 8, PROT_READ | PROT_WRITE);
	syscall(SYS_mlock2, p, 8 * PAGE, 1);
	touch(p, 1, 3, 1);
	touch(map(2, 16, PROT_READ | PROT_WRITE), 0, 4, 1);
	mlock(map(3, 4, PROT_NONE), 4 * PAGE);
	mlock(map(4, 4, PROT_READ), 4 * PAGE);
	p = map(5, 1024, PROT_READ | PROT_WRITE);
	syscall(SYS_mlock2, p, 1024 * PAGE, 1);
	touch(p, 0, 512, 64);
	ftruncate(fd, 2 * PAGE);
	p = mmap(SLOT(6), 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	p[0] + *(volatile char *)(p + PAGE) + *(volatile char *)p;
	mlock(mmap(SLOT(7), 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0), 2 * PAGE);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!fork()) {
		execl(argv[1], "locks", "--width", "100", pid, NULL);
		_exit(127);
	}
	wait(&fd);
	return WEXITSTATUS(fd);
}
"""
ROW = re.compile(r"([0-9a-f]{12})-[0-9a-f]+ +(\S+) (\S{4}) \|(\S+)\|(?:x(\d+))? *(.*)")


@pytest.fixture(params=["native", "linux", "faultline"])
def kernel(request):
    skip_without(request.param, request.config)
    return request.param


@pytest.fixture
def locks(kernel, run):
    """locks(*arguments, program=path): runs the tool, or the program with the tool's path as its argument."""

    def native(*args, program=None):
        return subprocess.run([program, LOCKS] if program else [LOCKS, *args], capture_output=True, timeout=30)

    def guest(*args, program=None):
        if program:
            return run("--file", f"{LOCKS}:/usr/bin/locks", "--", program, "/usr/bin/locks")
        return run("--", LOCKS, *args)

    return native if kernel == "native" else guest


def text_of(done, status=0):
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


def test_locks_of_a_known_program(locks, kernel, compile_program):
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if kernel == "native" and os.geteuid() != 0 and 0 <= limit < 4200 * 1024:
        pytest.skip("RLIMIT_MEMLOCK is too low")
    out = text_of(locks(program=compile_program(KNOWN, name="known")))
    rows = {int(m[1], 16): m.groups()[1:] for m in map(ROW.fullmatch, out.splitlines()) if m}
    known = [rows[0x10000000 + n * 0x1000000] for n in range(8)]
    zero, elsewhere = ("zzzz", "**") if kernel != "native" or os.geteuid() == 0 else ("####", "oo")
    assert [row[:4] for row in known] == [
        ("32K", "rw-p", "########", None),
        ("32K", "rw-p", "~##~~~~~", None),
        ("64K", "rw-p", "oooo............", None),
        ("16K", "---p", "!!!!", None),
        ("16K", "r--p", zero, None),
        ("4M", "rw-p", "%~" * 8 + "~" * 16, "32"),
        ("8K", "r--s", elsewhere, None),
        ("8K", "r--s", "##", None),
    ]
    assert [row[4] for row in known] == [""] * 6 + ["memfd:both (dele"] * 2
    present = 8 + 2 + 8 + 2 + (0 if zero == "zzzz" else 4)
    assert f" mappings, 6 locked: 1050 pages (4200 kB), {present} of them present\n" in out
    assert "VmLck 4200 kB: the same\n" in out
    if kernel != "native":
        assert "RLIMIT_MEMLOCK 8192 kB: 3992 left\n" in out
    assert all(len(line) <= 100 for line in out.splitlines())
    assert "\033" not in out


def test_locks_try(locks):
    calls = "map:12 write:0+3 mlock:2+3 onfault:8+4 write:9 munlock:2 none:6 mlock:5+2 munlock drop:9+2 unmap:1 mlock"
    assert text_of(locks("--try", *calls.split())).splitlines() == [
        "map:12         |............|        present 0  VmLck 0  faults 0",
        "write:0+3      |ooo.........|        present 3  VmLck 0  faults 3",
        "mlock:2+3      |oo|###|.......|      present 5  VmLck 3  faults 2",
        "onfault:8+4    |oo|###|...|~~~~|     present 5  VmLck 7  faults 0",
        "write:9        |oo|###|...|~#~~|     present 6  VmLck 7  faults 1",
        "munlock:2      |ooo|##|...|~#~~|     present 6  VmLck 6  faults 0",
        "none:6         |ooo|##|.|.|.|~#~~|   present 6  VmLck 6  faults 0",
        "mlock:5+2      |ooo|###|!|.|~#~~|    present 7  VmLck 8  faults 1  Out of memory",
        "munlock        |oooooo|.|..o..|      present 7  VmLck 0  faults 0",
        "drop:9+2       |oooooo|.|.....|      present 6  VmLck 0  faults 0",
        "unmap:1        |o |oooo|.|.....|     present 5  VmLck 0  faults 0",
        "mlock          |# |oooo|.|.....|     present 5  VmLck 1  faults 0  Out of memory",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [["x"], ["1", "2"], ["--width", "3"], ["--width"], ["--no"], ["--try"], ["--try", "mlock"], ["--try", "map:4", "mlock:3+2"],
     ["--try", "map:4", "map:4"], ["--try", "map:65"], ["--try", "map:4", "grow:61"], ["--try", "map:4", "mlock:"], ["--try", "map:0"]],
    ids=" ".join)  # fmt: skip
def test_locks_usage(arguments):
    done = subprocess.run([LOCKS, *arguments], capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (2, b"") and done.stderr.startswith(b"usage: ")


def test_locks_of_no_process():
    done = subprocess.run([LOCKS, "999999999"], capture_output=True, timeout=30)
    assert done.returncode == 1 and b"999999999" in done.stderr


def test_locks_help_and_colour():
    text = subprocess.run([LOCKS, "--help"], capture_output=True, timeout=30, check=True).stdout
    assert b"lock on fault" in text and b"--width" in text and b"\033" not in text
    out = pexpect.run(LOCKS, timeout=30, dimensions=(24, 70)).decode()
    assert "\033[0mo\033[0m" in out
    plain = re.sub(r"\033\[\d+m", "", out)
    assert all(len(line) <= 70 for line in plain.splitlines())
