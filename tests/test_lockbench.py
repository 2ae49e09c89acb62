# SPDX-License-Identifier: MIT
"""The experiment of 2015 in a small form (user/lockbench): every strategy reads what is there and locks what it says."""

import os
import subprocess

import pytest
from conftest import BUILD

LOCKBENCH = os.path.join(BUILD, "user", "lockbench")
STRATEGIES = ["none", "whole", "each", "segv1", "segv8", "segv16", "onfault"]
PAGES = 1024
SCRIPT = f"/lockbench --file /tmp/d --make --size {PAGES * 4}K && /lockbench --file /tmp/d --csv --accesses 1000 --raise"


def rows(text):
    """[{column: text}] of --csv."""
    head, *lines = [line.split(",") for line in text.splitlines()]
    return [dict(zip(head, line)) for line in lines]


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("lockbench") / "data"
    subprocess.run([LOCKBENCH, "--make", "--file", path, "--size", f"{PAGES * 4}K"], check=True, timeout=60)
    return path


def native(*args):
    return subprocess.run([LOCKBENCH, *map(str, args)], capture_output=True, text=True, timeout=60)


def test_strategies(run):
    done = run("--mem", "128M", "--file", f"{LOCKBENCH}:/lockbench", "--", "busybox", "sh", "-c", SCRIPT)
    assert done.returncode == 0, done.stderr.decode()
    seen = {row["strategy"]: row for row in rows(done.stdout.decode())}
    assert list(seen) == STRATEGIES
    assert all(row["data"] == "right" for row in seen.values())
    locked = {name: int(row["vmlck_kib"]) // 4 for name, row in seen.items()}
    assert (locked["none"], locked["whole"], locked["onfault"]) == (0, PAGES, PAGES)
    # 1000 accesses hit some 640 of 1024 pages; a batch locks their neighbours, too.
    assert 0 < locked["each"] == locked["segv1"] < locked["segv8"] < locked["segv16"] <= PAGES
    assert int(seen["segv1"]["minor"]) > int(seen["segv16"]["minor"])


def test_wrong_data_is_an_error(data, tmp_path):
    """One flipped bit, and so many accesses that one of them meets it."""
    spoilt = tmp_path / "spoilt"
    contents = bytearray(data.read_bytes()[:4096])
    contents[17] ^= 4
    spoilt.write_bytes(contents)
    for path, status, word in ((data, 0, "right"), (spoilt, 1, "wrong")):
        done = native("--file", path, "--size", 4096, "--accesses", 100000, "--strategy", "none", "--csv")
        assert (done.returncode, rows(done.stdout)[0]["data"]) == (status, word)


def test_pressure_and_runs(data):
    done = native("--file", data, "--csv", "--pressure", "1M", "--runs", 2, "--strategy", "segv8", "--strategy", "onfault", "--cold")
    assert [(row["strategy"], row["run"]) for row in rows(done.stdout)] == [
        ("segv8", "1"), ("segv8", "2"), ("onfault", "1"), ("onfault", "2"),
    ]  # fmt: skip


@pytest.mark.parametrize("arguments, status", [(["--help"], 0), ([], 2), (["--file"], 2), (["--file", "x", "--size", "1Q"], 2),
                                               (["--file", "x", "--strategy", "y"], 2), (["--file", "/nowhere/x"], 3)])  # fmt: skip
def test_usage(arguments, status):
    done = native(*arguments)
    assert done.returncode == status
    if status < 3:
        assert (done.stdout + done.stderr).find("usage: lockbench") >= 0


def test_stream(run):
    """Bandwidths are positive, results right, locked or not."""
    for lock in ("no", "whole", "onfault"):
        done = run("--", os.path.join(BUILD, "user", "stream"), "--csv", "--elements", "64K", "--rounds", 3, "--lock", lock)
        assert done.returncode == 0, done.stderr.decode()
        assert [row["function"] for row in rows(done.stdout.decode()) if float(row["best_mb_s"]) > 0] == ["copy", "scale", "add", "triad"]


@pytest.mark.parametrize("arguments", [["--rounds", "1"], ["--lock", "some"], ["--elements", "0"], ["x"]])
def test_stream_usage(arguments):
    assert subprocess.run([os.path.join(BUILD, "user", "stream"), *arguments], capture_output=True, timeout=10).returncode == 2
