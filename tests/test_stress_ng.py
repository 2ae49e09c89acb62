# SPDX-License-Identifier: MIT
"""The distribution's stress-ng, dynamic and unmodified, with less memory than it wants and swap.

All stressors one after the other in one boot, so that each meets what those before it have left; then the books must
balance. Seconds each, or with --soak a minute each, there on Linux in the same QEMU too: it checks the test. Who does
not come to the end of one round in a minute, because the host has other things to do, gets five more.
"""

import re
import shutil
import subprocess

import pytest
from conftest import run_argv, skip_without

# With the memory that makes them use swap: 4 processes, 256 MiB. vm checks all of its memory many times in a round; with
# more it does not come to the end of one in a minute.
STRESSORS = {
    "vm": "--vm-bytes 160m", "mmap": "--mmap-bytes 320m", "mlock": "", "mremap": "--mremap-bytes 160m", "madvise": "",
    "brk": "", "stack": "", "fork": "", "fault": "", "mincore": "", "msync": "", "shm": "--shm-bytes 32m",
    "shm-sysv": "--shm-sysv-bytes 32m",
}  # fmt: skip
WORKERS = 4

SCRIPT = """
grep Shmem: /proc/meminfo
for line in {stressors}; do
	set -- $(echo $line | tr , ' ')
	for seconds in {seconds} {longer}; do
		echo "stressor $1"
		stress-ng --$1 {workers} $2 $3 --timeout $seconds --verify --metrics-brief >/tmp/said 2>&1
		echo "status $?" >>/tmp/said
		cat /tmp/said
		grep -q 'all bogo-op counters are zero' /tmp/said || break
	done
done
# What a worker that was killed at the end of its time has left by name is not the kernel's.
cat /proc/sysvipc/shm
ls -l /dev/shm
for id in $(awk 'NR > 1 {{ print $2 }}' /proc/sysvipc/shm); do ipcrm -m $id; done
rm -rf /dev/shm/* /tmp-stress-ng-* /tmp/tmp-stress-ng-*
swapoff /dev/vda || exit 1
sleep 1
cat /proc/meminfo /proc/vmstat
if test -e /proc/validate; then echo "validate: $(cat /proc/validate)"; fi
"""

# Lines of /proc/meminfo and the counters of /proc/vmstat whose sum they are.
SAME = {
    "Active(anon)": ["nr_active_anon"], "Inactive(anon)": ["nr_inactive_anon"], "Active(file)": ["nr_active_file"],
    "Inactive(file)": ["nr_inactive_file"], "Active": ["nr_active_anon", "nr_active_file"],
    "Inactive": ["nr_inactive_anon", "nr_inactive_file"], "Unevictable": ["nr_unevictable"], "Mlocked": ["nr_mlock"],
    "AnonPages": ["nr_anon_pages"], "Mapped": ["nr_mapped"], "Shmem": ["nr_shmem"], "Dirty": ["nr_dirty"],
    "Writeback": ["nr_writeback"], "MemFree": ["nr_free_pages"],
}  # fmt: skip
SLACK = 256  # KiB: the two files are not read at the same moment, and each CPU gathers pages for the lists


def stressors_of(text):
    """(name, what it said, and its status at the end) of each run"""
    parts = re.split(r"^stressor (\S+)$", text, flags=re.M)[1:]
    return list(zip(parts[::2], parts[1::2]))


def rounds(name, words):
    """What it counts as its work."""
    return int(re.search(rf"metrc: \[\d+\] {name} +(\d+) ", words)[1])


def books(text):
    """/proc/meminfo in KiB and /proc/vmstat in pages, as they were last."""
    meminfo = {m[1]: int(m[2]) for m in re.finditer(r"^(\S+): +(\d+) kB$", text, flags=re.M)}
    vmstat = {m[1]: int(m[2]) for m in re.finditer(r"^([a-z_0-9]+) (\d+)$", text, flags=re.M)}
    return meminfo, vmstat


def check_books(text, exact):
    meminfo, vmstat = books(text)
    for label, counters in SAME.items():
        assert abs(meminfo[label] - 4 * sum(vmstat[c] for c in counters)) <= SLACK, f"{label}\n{text}"
    assert meminfo["SwapTotal"] == 0 and meminfo["SwapCached"] == 0, text
    if not exact:
        return
    assert meminfo["Unevictable"] == 0 and meminfo["Mlocked"] == 0, text
    lists = meminfo["Active"] + meminfo["Inactive"] + meminfo["Unevictable"]
    cached = meminfo["Cached"] + meminfo["Buffers"]
    assert abs(lists - meminfo["AnonPages"] - cached) <= SLACK, text
    # What was in swap is back: the files of tmpfs, and nothing of the processes.
    before = int(re.search(r"^Shmem: +(\d+) kB$", text, flags=re.M)[1])
    assert abs(meminfo["Shmem"] - before) <= SLACK and meminfo["AnonPages"] < 1024, text


@pytest.mark.parametrize("where", ["faultline", "debug", "linux"])
def test_stress_ng_in_swap(where, request):
    soak = request.config.getoption("--soak")
    skip_without(where, request.config)
    if request.config.getoption("--quick"):
        pytest.skip("too long for --quick")
    if where == "linux" and not soak:
        pytest.skip("only with --soak")
    seconds = 60 if soak else 2
    longer = 5 * seconds if soak else ""
    program = shutil.which("stress-ng") or pytest.fail("stress-ng is not on this machine")
    lines = " ".join(",".join([name, *options.split()]) for name, options in STRESSORS.items())
    script = SCRIPT.format(stressors=lines, workers=WORKERS, seconds=seconds, longer=longer)
    limit = len(STRESSORS) * (7 * seconds + 30)
    argv = run_argv("linux" if where == "linux" else "faultline", *(["--debug"] if where == "debug" else []),
                    "--mem", "256M", "--swap", "1G", "--smp", 2, "--file", program, "--file", "/usr/bin/ipcrm",
                    "--timeout", limit,
                    "--", "busybox", "sh", "-c", script)  # fmt: skip
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit + 60)
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, text
    said = stressors_of(text)
    assert list(dict(said)) == list(STRESSORS), text
    print(*re.findall(r"metrc: .*", text), sep="\n")
    for name, words in said:
        assert "status 0" in words and "successful run completed" in words, f"{name}: {words}"
        assert not soak or rounds(name, dict(said)[name]) > 0, f"{name} has done nothing: {words}"
        assert "fail:" not in words and "error:" not in words, f"{name}: {words}"
    check_books(text, exact=where != "linux")
    if where == "debug":
        assert "\nvalidate: ok\n" in text, text
