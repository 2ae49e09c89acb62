# SPDX-License-Identifier: MIT
"""What is written is read again, under pressure and beside locked memory (user/memcheck)."""

import os
import subprocess

import pytest
from conftest import BUILD

MEMCHECK = os.path.join(BUILD, "user", "memcheck")


def native(*args):
    return subprocess.run([MEMCHECK, *map(str, args)], capture_output=True, text=True, timeout=60)


def test_a_wrong_byte_is_found(tmp_path):
    path = tmp_path / "file"
    assert native("--file", path, "--size", "1M", "--passes", 1).returncode == 0
    assert native("--file", path, "--passes", 1, "--verify").returncode == 0
    contents = bytearray(path.read_bytes())
    contents[4096 * 7 + 123] ^= 0x10
    path.write_bytes(contents)
    done = native("--file", path, "--passes", 1, "--verify", "--order", "sequential")
    assert done.returncode == 1
    assert "page 7: wrong byte at 0x" in done.stdout and "07b: expected" in done.stdout
    assert "a part of the page is wrong" in done.stdout


@pytest.mark.parametrize("source, story", [(None, "all zeroes"), (3, "another page's contents")])
def test_a_wrong_page_is_explained(tmp_path, source, story):
    path = tmp_path / "file"
    native("--file", path, "--size", "1M", "--passes", 1)
    contents = bytearray(path.read_bytes())
    contents[4096 * 9 : 4096 * 10] = bytes(4096) if source is None else contents[4096 * source : 4096 * (source + 1)]
    path.write_bytes(contents)
    done = native("--file", path, "--passes", 1, "--verify")
    assert done.returncode == 1 and story in done.stdout


def test_a_page_of_the_pass_before_is_explained(tmp_path):
    path = tmp_path / "file"
    native("--file", path, "--size", "64K", "--passes", 1)
    done = native("--file", path, "--passes", 2, "--verify")
    assert done.returncode == 1 and "what the pass before wrote" in done.stdout


def test_holding_natively():
    assert "looked at" in native("--anon", "1M", "--hold", "1M").stdout
    assert native("--anon", "1M", "--hold", "1M", "--onfault").returncode == 0
    done = native("--anon", "1M", "--hold", "1M", "--release")  # nothing presses here
    assert done.returncode == 1 and "0 of the holder's 256 pages" in done.stdout


@pytest.mark.parametrize("arguments, status", [(["--help"], 0), ([], 2), (["--anon", "1M", "--file", "x"], 2), (["--anon", "x"], 2),
                                               (["--anon", "1M", "--release"], 2), (["--anon", "1M", "--order", "x"], 2),
                                               (["--file", "/nowhere/x"], 3)])  # fmt: skip
def test_usage(arguments, status):
    assert native(*arguments).returncode == status
