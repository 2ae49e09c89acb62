# SPDX-License-Identifier: MIT
"""Disks: what a program reads and writes is what the image has, whatever the machine; and when the disk fails, the
program is told so. Tests that take `run` check Linux, too.
"""

import hashlib
import json
import os
import random
import signal
import socket
import struct
import subprocess
import time

import pytest
from conftest import HERE, run_argv

MB = 1 << 20
PAGE = 4096
GOLDEN, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


@pytest.fixture
def image(tmp_path):
    """5 MiB and a part of a page of random bytes."""
    path = tmp_path / "disk.img"
    path.write_bytes(random.Random(1).randbytes(5 * MB + 3 * 512))
    return path


@pytest.fixture
def shell(run):
    def call(text, *options, **keywords):
        return run(*options, "--", "busybox", "sh", "-c", text, **keywords)

    return call


@pytest.fixture
def io(compile_program):
    """Reads, writes and maps a disk, and says what came of it as "RESULT ERRNO"."""
    with open(os.path.join(HERE, "disk", "io.c"), encoding="ascii") as f:
        return compile_program(f.read(), name="io")


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest().encode()


MACHINES = [
    ["--machine", "pc"],
    ["--machine", "q35"],
    ["--machine", "pc", "--smp", 4, "--mem", "1G"],
]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: " ".join(map(str, m[1:])))
def test_read(shell, image, machine):
    done = shell("md5sum </dev/vda; wc -c </dev/vda", *machine, "--disk", image)
    assert done.stdout.split() == [md5(image), b"-", b"%d" % os.path.getsize(image)]


def test_many_disks(shell):
    """The firmware wanted memory for each, and took the initramfs's."""
    done = shell("grep -c vd /proc/partitions", *["--disk", "1M"] * 7)
    assert done.stdout == b"7\n"


# Fewer segments than a request has pages; blocks of a page; no cache that would have to be flushed.
DEVICES = ["queue-size=4", "queue-size=16,seg-max-adjust=off", "logical_block_size=4096,physical_block_size=4096", "write-cache=off"]


@pytest.mark.parametrize("options", DEVICES)
def test_devices(shell, tmp_path, options):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(random.Random(2).randbytes(2 * MB))
    target.write_bytes(bytes(2 * MB))
    done = shell("dd if=/dev/vda of=/dev/vdb bs=100k && sync", "--disk", f"{source},{options}", "--disk", f"{target},{options}")
    assert done.returncode == 0, done.stderr
    assert source.read_bytes() == target.read_bytes()


def test_no_msix(shell, image, kernel):
    if kernel == "linux":
        pytest.skip("Linux uses the pin")
    done = shell("test -e /dev/vda || echo none", "--disk", f"{image},vectors=0")
    assert done.stdout == b"none\n"


def test_numbers(shell, image):
    done = shell("stat -c '%F %t:%T' /dev/vda /dev/vdb; cat /proc/partitions", "--disk", image, "--disk", "1M")
    assert done.stdout.splitlines()[:2] == [b"block special file fe:0", b"block special file fe:10"]
    assert [line.split() for line in done.stdout.splitlines()[-2:]] == [
        [b"254", b"0", b"5121", b"vda"],
        [b"254", b"16", b"1024", b"vdb"],
    ]


def test_ioctls(shell, image):
    done = shell("blockdev --getsize64 /dev/vda; blockdev --getsz /dev/vda; blockdev --getss /dev/vda; blockdev --getro /dev/vda",
                 "--disk", f"{image}:ro")  # fmt: skip
    assert done.stdout.split() == [b"%d" % (5 * MB + 1536), b"%d" % (10 * 1024 + 3), b"512", b"1"]


def test_written_bytes(shell, image):
    before = image.read_bytes()
    done = shell("printf hello | dd of=/dev/vda bs=1 seek=4094 conv=notrunc,fsync", "--disk", image)
    assert done.returncode == 0, done.stderr
    assert image.read_bytes() == before[:4094] + b"hello" + before[4099:]


def test_end(io, run, image):
    end = os.path.getsize(image)
    words = [f"w{end - 512}+512", f"w{end - 512}+1024", f"w{end}+512", f"r{end - 512}+1024", f"r{end}+512", "f"]
    done = run("--disk", image, "--", io, *words)
    assert done.stdout.splitlines() == [b"512 0", b"512 0", b"-1 28", b"512 0", b"0 0", b"0 0"]


def test_read_only(io, run, image):
    before = image.read_bytes()
    done = run("--disk", f"{image},ro", "--", io, "w0+4096", "r0+4096", "f")
    assert done.stdout.splitlines() == [b"-1 1", b"4096 0", b"0 0"]
    assert image.read_bytes() == before


@pytest.mark.parametrize("cpus", [1, 4])
def test_random_io(run, compile_program, tmp_path, cpus):
    blocks = 4096
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(blocks * 1536))
    with open(os.path.join(HERE, "disk", "random_io.c"), encoding="ascii") as f:
        program = compile_program(f.read(), name="random_io")
    done = run("--smp", cpus, "--disk", path, "--", program, "/dev/vda", blocks, 4000, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    words = struct.unpack(f"<{blocks * 192}Q", path.read_bytes())
    inverse = pow(GOLDEN, -1, 1 << 64)
    for block in range(blocks):
        first = words[block * 192] * inverse & MASK
        assert first >> 32 == block and first & 0xFFFF == 0 and first >> 16 & 0xFFFF, f"block {block}"
        for i in (1, 95, 191):
            assert words[block * 192 + i] == (first + i) * GOLDEN & MASK, f"block {block}, word {i}"


@pytest.mark.parametrize("how", ["W0+40960", "w0+40960 f"])
def test_survives_the_machine(io, kernel, image, how):
    """What was written with O_SYNC, or before fsync(), is there although the machine ends at once."""
    argv = run_argv(kernel, "--disk", image, "--", io, *how.split(), "s")
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as p:
        for _ in how.split():
            assert p.stdout.readline().split()[1] == b"0"
        p.send_signal(signal.SIGKILL)
    assert image.read_bytes()[:40960] == b"w" * 40960


# ---- disks that fail ----


def test_read_errors(io, run, image, ahead):
    done = run(*ahead, "--disk", f"{image},fail=read:1M", "--", io, f"r0+{MB}", f"r{MB}+512", f"r{MB + PAGE}+512", f"r{MB}+512")
    assert done.stdout.splitlines() == [b"%d 0" % MB, b"-1 5", b"512 0", b"-1 5"]


def test_read_error_in_a_mapping(io, run, image, ahead):
    done = run(*ahead, "--disk", f"{image},fail=read:1M", "--", io, f"m{MB - PAGE}", f"m{MB}")
    assert done.stdout.splitlines() == [b"%d 0" % image.read_bytes()[MB - PAGE]]
    assert done.returncode == 128 + signal.SIGBUS


def test_write_errors(io, run, image, ahead):
    """The write goes to the page cache, and fsync() tells; what else there was to write is written."""
    done = run(*ahead, "--disk", f"{image},fail=write:1M+64K", "--", io, f"w{MB}+8192", f"w{2 * MB}+8192", "f", f"r{MB}+8192")
    assert done.stdout.splitlines() == [b"8192 0", b"8192 0", b"-1 5", b"8192 0"]
    assert image.read_bytes()[2 * MB : 2 * MB + 8192] == b"w" * 8192


def test_flush_errors(io, run, image):
    done = run("--disk", f"{image},fail=flush", "--", io, "w0+4096", "f")
    assert done.stdout.splitlines() == [b"4096 0", b"-1 5"]


# ---- disks that change ----


def qmp(path, command, **arguments):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(os.fspath(path))
        stream = s.makefile("rw")
        for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
            stream.readline() if request["execute"] == "qmp_capabilities" else None
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            while "return" not in (answer := json.loads(stream.readline())):
                assert "error" not in answer, answer


@pytest.mark.parametrize("size", [1 * MB, 8 * MB], ids=["smaller", "larger"])
def test_resize(io, kernel, image, tmp_path, size, ahead):
    sock = tmp_path / "qmp"
    argv = run_argv(kernel, *ahead, "--qmp", sock, "--disk", image, "--", io, "r0+4096", "z", f"r{size - 512}+1024", f"w{size}+512", "f")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"4096 0\n"
        assert p.stdout.readline() == b"waiting\n"
        qmp(sock, "block_resize", **{"node-name": "disk0", "size": size})
        time.sleep(1)
        p.stdin.write(b"\n")
        out, _ = p.communicate(timeout=60)
    assert out.splitlines() == [b"512 0", b"-1 28", b"0 0"]


def test_late_request(request, io, kernel, image, tmp_path):
    """A request that takes more than 30 s is reported, once, and its data arrive all the same."""
    if not request.config.getoption("--soak"):
        pytest.skip("waits for half a minute: only with --soak")
    if kernel == "linux":
        pytest.skip("Linux waits without a word")
    sock = tmp_path / "qmp"
    argv = run_argv(kernel, "--verbose", "--qmp", sock, "--disk", f"{image},fail=write", "--", io, "z", f"r{MB}+4096", f"r{MB}+4096")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"waiting\n"
        qmp(sock, "human-monitor-command", **{"command-line": 'qemu-io disk0 "break read_aio late"'})
        p.stdin.write(b"\n")
        p.stdin.flush()
        time.sleep(35)
        qmp(sock, "human-monitor-command", **{"command-line": 'qemu-io disk0 "resume late"'})
        out, err = p.communicate(timeout=60)
    assert out.splitlines() == [b"4096 0", b"4096 0"]
    assert err.count(b"vda: 1 requests have not come back for 30 s") == 1, err.decode()


# ---- ./run ----


def test_nothing_stays_behind(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", os.fspath(tmp_path))
    assert shell("true", "--disk", "64M").returncode == 0
    assert not os.listdir(tmp_path)


def test_image_is_in_use_elsewhere(shell, image):
    """QEMU's word for it reaches the user."""
    with open(image, "r+b") as f:
        import fcntl

        fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))  # F_OFD_SETLK
        done = shell("true", "--disk", image)
    assert done.returncode == 125
    assert b"lock" in done.stderr
