# SPDX-License-Identifier: MIT
"""`make run`: through GRUB to a shell with job control."""

import os

import pexpect
import pytest
from conftest import BUILD, TOP

pytestmark = pytest.mark.together


def test_grub_boots_to_a_shell():
    child = pexpect.spawn("make", ["-s", "-C", TOP, f"O={BUILD}", "run"], timeout=120, encoding="utf-8")
    try:
        child.expect(r"[#$] ")
        child.sendline("echo $((6 * 7)) $(uname -m)")
        child.expect("42 x86_64")
        child.sendline("sleep 100 & jobs; kill %1; echo gone")
        child.expect("gone")
        child.sendline("exit")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def test_control_a_x_leaves():
    child = pexpect.spawn("make", ["-s", "-C", TOP, f"O={BUILD}", "run"], timeout=120, encoding="utf-8")
    try:
        child.expect(r"[#$] ")
        child.send("\x01x")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)


def test_image_is_there():
    assert os.path.getsize(os.path.join(BUILD, "faultline.iso")) > 1 << 20
