# SPDX-License-Identifier: MIT
"""Memory that is short, for a while: user/mmrace beside a process that uses more memory than there is, and a disk that
is either a part of that or a swap area that comes and goes. The debug kernel checks the order of locks and every address
space all the time; at the end its books must be right (/proc/validate), swapoff must bring everything back, and no
page may be missing.

`make soak-stress` runs it for 30 minutes each (--soak). SEED=n repeats a run, MINUTES=n chooses the length.
"""

import os
import random

import guest
import pytest
from conftest import BUILD, INIT, kernel_path

MMRACE = os.path.join(BUILD, "user", "mmrace")
# CPUs, the disk's use, MiB of memory, MiB that one process uses, where large folios are given
MACHINES = [
    (1, "file", 128, 160, "madvise"), (2, "swap", 128, 160, "madvise"), (4, "file", 192, 240, "madvise"),
    (4, "swap", 160, 200, "madvise"), (1, "file", 128, 160, "always"), (4, "swap", 160, 200, "always"),
]  # fmt: skip
NAMES = [f"{cpus}-cpus-{disk}" + "-thp" * (thp == "always") for cpus, disk, _, _, thp in MACHINES]


@pytest.fixture
def seconds(request):
    if request.config.getoption("--quick"):
        pytest.skip("too long for --quick")
    return int(60 * float(os.environ.get("MINUTES") or (30 if request.config.getoption("--soak") else 0.5)))


@pytest.mark.parametrize("cpus, disk, mem, press, thp", MACHINES, ids=NAMES)
def test_short_of_memory(cpus, disk, mem, press, thp, seconds, capfd):
    seed = int(os.environ.get("SEED") or random.getrandbits(32))
    args = ("--seed", seed, "--seconds", seconds, "--press", press, f"--{disk}", "/dev/vda", "--memory")
    if seconds > 60:
        with capfd.disabled():
            print(f"\nmmrace {' '.join(map(str, args))} with {cpus} CPUs, thp={thp}", flush=True)
    program = guest.Program(MMRACE, args=tuple(map(str, args)), seconds=seconds + 600)
    result = guest.JobResult("mmrace")
    guest.run_batch(INIT, [(result, program)], kernel=kernel_path(True), smp=cpus, mem=f"{mem}M", disk="96M", swap="512M",
                    knobs=[f"thp={thp}"])  # fmt: skip
    text = result.output.decode(errors="replace")
    if seconds > 60:
        with capfd.disabled():
            print(text[-1000:], flush=True)
    assert not result.trouble, f"{result.trouble}\n{text}"
    assert result.status == 0, text
    assert not result.leak(), f"{result.leak()}\n{text}"
