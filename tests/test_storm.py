# SPDX-License-Identifier: MIT
"""The lock family's random calls print the same on Linux and here: user/mlockstorm, compared by storm.py."""

import os

import pytest
import storm

pytestmark = pytest.mark.natively

# seed, epochs, debug kernel; always the same: `make soak` looks for new ones, for an hour
FULL = [(1, 400, False), (2, 100, True)]
QUICK = [(1, 100, False)]


def pytest_generate_tests(metafunc):
    if "seed" not in metafunc.fixturenames:
        return
    cases = QUICK if metafunc.config.getoption("--quick") else FULL
    metafunc.parametrize("user", [False, True], ids=["root", "user"])
    metafunc.parametrize("seed, epochs, debug", cases, ids=[f"seed{s}{'-debug' if d else ''}" for s, _, d in cases])


def test_storm(seed, epochs, debug, user):
    if os.geteuid() != 0:
        pytest.skip("the native side must lock memory as root, and become another user")
    report = storm.compare(seed, epochs, user, debug)
    assert not report, report


def test_usage():
    assert "--seed" in "\n".join(storm.output(["--help"]))
