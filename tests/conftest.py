# SPDX-License-Identifier: MIT
"""How pytest sees the tests: each program of tests/user is run natively on Linux first, then on Faultline in
machines of several sizes, and each of its KTAP lines is a result of its own.

The build directory comes in the environment variable O; `make test` and `make quick` build before they call.
"""

import os
import signal
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path.insert(0, HERE)
import guest
import ktap
import lanes

BUILD = os.environ.get("O", os.path.join(TOP, "build"))
INIT = os.path.join(BUILD, "user", "init")
LINUX_KERNEL = os.path.join(BUILD, "linux", "vmlinuz")

# Where a program of tests/user runs: name -> (machine, one boot a program?). None: this Linux, natively.
FULL = {
    "linux": None,
    "128M": ({"mem": "128M"}, True),
    "1G-debug": ({"mem": "1G", "debug": True}, False),
    "8G": ({"mem": "8G"}, False),
    "2-cpus": ({"mem": "512M", "smp": 2}, False),
    "4-cpus-debug": ({"mem": "1G", "smp": 4, "debug": True}, False),
    "swap": ({"mem": "256M", "smp": 2, "swap": "512M"}, False),
    "swap-debug": ({"mem": "256M", "swap": "512M", "debug": True}, False),
    "folios": ({"mem": "256M", "swap": "512M", "knobs": ["mthp.orders=1020"]}, False),
    "disk": ({"mem": "256M", "disk": "64M"}, False),
    "disk-folios": ({"mem": "256M", "disk": "64M", "knobs": ["readahead.order=9", "readahead_kb=2048"]}, False),
    "disk-2-cpus-debug": ({"mem": "512M", "smp": 2, "disk": "64M", "debug": True}, False),
}
# Where large folios of all orders may be had, by knobs.
ABOUT_FOLIOS = "folio_"
# What is about memory that leaves: the only programs that run where there is swap.
ABOUT_SWAP = ("swap_", "madvise_", "mlock_", "fork_basic", "cow_fork", "mremap_", "shm_", "shared_anon", "memfd", "mincore", "proc_")  # fmt: skip
# With several CPUs: what is about threads, signals, processes and address spaces that more than one uses.
ABOUT_CPUS = ("cow_", "exec_", "fault_", "fork_", "futex", "membarrier", "mlock_", "mmap_", "mprotect_effect", "mremap_move",
              "munmap_", "pipe", "poll_", "proc_", "pthread_", "shared_", "signal_", "smp_", "thread", "wait_")  # fmt: skip
# What needs a disk runs where there is one, and nothing else does.
ABOUT_DISKS = "disk_"
QUICK = {"linux": None, "1G": ({"mem": "1G"}, False), "disk": FULL["disk"]}


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="one boot for all user tests, no comparison with Linux")
    parser.addoption("--soak", action="store_true", help="many boots, long runs: what `make soak` asks for")
    parser.addoption("--lanes", type=int, default=1, metavar="N", help="processes that run tests side by side (default 1)")
    parser.addoption("--no-linux", action="store_true", help="leave out what runs under the distribution's kernel")


def programs_of(machine):
    """What the names of the programs that run there begin with."""
    if "disk" in machine:
        return ABOUT_DISKS
    if "knobs" in machine:
        return ABOUT_FOLIOS
    return ABOUT_SWAP if "swap" in machine else ABOUT_CPUS if "smp" in machine else ""


def places(config):
    return QUICK if config.getoption("--quick") else FULL


def kernel_path(debug=False):
    return os.path.join(BUILD, "debug" if debug else "", "kernel.elf")


# ---- tests/user ----


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".c" and file_path.parent == parent.config.rootpath / "user":
        return UserFile.from_parent(parent, path=file_path)
    return None


class UserFile(pytest.File):
    def collect(self):
        for place, how in places(self.config).items():
            if how and not self.path.stem.startswith(programs_of(how[0])):
                continue
            if how and self.path.stem.startswith(ABOUT_DISKS) and "disk" not in how[0]:
                continue
            yield UserItem.from_parent(self, name=place)


class UserFailure(Exception):
    """The program as a whole went wrong: no complete report, a leak, a dead machine."""


class UserItem(pytest.Item):
    cases = ()  # the KTAP lines of the run

    @property
    def program(self):
        return os.path.join(BUILD, "tests", "user", self.path.stem)

    def repeat_line(self):
        program = os.path.relpath(self.program, TOP)
        if self.name == "linux":
            return program
        machine = dict(places(self.config)[self.name][0])
        debug = "--debug " if machine.pop("debug", False) else ""
        debug += "".join(f"--knob {knob} " for knob in machine.pop("knobs", []))
        return f"./run {debug}{''.join(f'--{k} {v} ' for k, v in machine.items())}-- {program}"

    def obtain(self):
        """(status, output, trouble)"""
        if self.name == "linux":
            return run_natively(self.program)
        machine, own_boot = places(self.config)[self.name]
        if own_boot:
            batch = start_batch(machine, [self.program])
        else:
            batch = self.session.stash[BATCHES].get(self.name)
            if batch is None:
                programs = [i.program for i in self.session.items if isinstance(i, UserItem) and i.name == self.name]
                batch = self.session.stash[BATCHES][self.name] = start_batch(machine, programs)
        result = batch.result(self.program)
        if own_boot:
            batch.join()
        trouble = result.trouble
        if result.status == 124:
            trouble = f"no end after {guest.JOB_SECONDS} s"
        elif not trouble:
            trouble = result.leak()
        return result.status, result.output.decode(errors="replace"), trouble

    def runtest(self):
        status, output, trouble = self.obtain()
        report = ktap.parse(output)
        self.cases = report.cases
        trouble = trouble or report.problem(status)
        if trouble:
            raise UserFailure(f"{trouble}\n--- output (status {status})\n{output}")

    def report_case(self, case):
        detail = None
        if case.outcome == "failed":
            detail = "\n".join([f"not ok {case.number} {case.name}", *case.notes, f"to repeat: {self.repeat_line()}"])
        elif case.outcome == "skipped":
            detail = (str(self.path), 0, "; ".join(case.notes) or "skipped")
        self.ihook.pytest_runtest_logreport(report=pytest.TestReport(
            nodeid=f"{self.nodeid}::{case.name}", location=self.location, keywords={}, outcome=case.outcome,
            longrepr=detail, when="call"))  # fmt: skip

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, UserFailure):
            return f"{excinfo.value}\nto repeat: {self.repeat_line()}"
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, f"{self.path.stem} [{self.name}]"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """After the program's own report, one for each of its tests."""
    yield
    if isinstance(item, UserItem):
        for case in item.cases:
            item.report_case(case)


BATCHES = pytest.StashKey()


def pytest_sessionstart(session):
    session.stash[BATCHES] = {}


def pytest_collection_modifyitems(items):
    """Place by place, so that a batch is done before the next begins; Linux, the referee, first."""
    users = [i for i in items if isinstance(i, UserItem)]
    others = [i for i in items if not isinstance(i, UserItem)]
    if users:
        order = list(places(users[0].config))
        users.sort(key=lambda i: order.index(i.name))
    items[:] = others + users


# ---- side by side ----


def pytest_configure(config):
    config.addinivalue_line("markers", "together: all tests of the module run in one lane, in order")
    config.addinivalue_line("markers", "natively: locks memory of this machine, whose counters others read: all in one lane")


def group_of(item):
    """What is equal for the tests that one lane runs, in order."""
    if item.get_closest_marker("natively") or (isinstance(item, UserItem) and item.name == "linux"):
        return "natively"
    if isinstance(item, UserItem):
        own_machine = places(item.config)[item.name][1]
        return item.nodeid if own_machine else item.name
    return item.path if item.get_closest_marker("together") else item.nodeid


def pytest_runtestloop(session):
    count = session.config.getoption("--lanes")
    option = session.config.option
    if count < 2 or option.collectonly or option.usepdb or session.testsfailed:
        return None
    groups = {}
    for item in session.items:
        groups.setdefault(group_of(item), []).append(item)
    # The large ones first, so that all lanes end at about the same time.
    lanes.run(session, sorted(groups.values(), key=len, reverse=True), count)
    return True


def start_batch(machine, programs):
    machine = dict(machine)
    batch = guest.Batch(INIT, programs, kernel=kernel_path(machine.pop("debug", False)), **machine)
    batch.start()
    return batch


def like_init():
    """What a program finds under init: no signal ignored, a session of its own."""
    os.setsid()
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)


def run_natively(program):
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=guest.JOB_SECONDS, cwd="/", env=guest.ENVIRONMENT, preexec_fn=like_init)  # fmt: skip
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b"").decode(errors="replace"), f"no end after {guest.JOB_SECONDS} s"
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout.decode(errors="replace"), ""


# ---- fixtures for the end-to-end tests ----


def skip_without(kernel, config):
    if kernel == "linux":
        if config.getoption("--quick") or config.getoption("--no-linux"):
            pytest.skip("without the comparison with Linux")
        if not os.path.exists(LINUX_KERNEL):
            pytest.skip("the distribution's kernel could not be downloaded")


@pytest.fixture(params=["linux", "faultline"])
def kernel(request):
    """Tests that take it run on both, so that Linux checks the test."""
    skip_without(request.param, request.config)
    return request.param


@pytest.fixture(params=[0, 5], ids=["pages", "folios"])
def ahead(request, kernel):
    """How disks are read ahead: options for ./run."""
    if not request.param:
        return []
    if kernel == "linux":
        pytest.skip("Linux reads disks in pages")
    return ["--knob", f"readahead.order={request.param}"]


@pytest.fixture
def run(kernel):
    """run(*arguments, stdin=bytes | file) calls ./run on that kernel."""

    def call(*args, stdin=None, timeout=240):
        given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
        return subprocess.run(run_argv(kernel, *args), capture_output=True, timeout=timeout, **given)

    return call


def run_argv(kernel, *args):
    return [os.path.join(TOP, "run"), "--no-build", "--build-dir", BUILD, "--kernel", kernel, *map(str, args)]


@pytest.fixture
def compile_program(tmp_path):
    """compile_program(source, *flags) -> path of a static musl program."""

    def build(source, *flags, name="prog"):
        path = tmp_path / name
        (tmp_path / f"{name}.c").write_text(source)
        subprocess.run(["musl-gcc", "-O2", "-static", *flags, "-o", path, f"{path}.c"], check=True)
        return path

    return build


# ---- the last line ----


def pytest_unconfigure(config):
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.getoption("collectonly"):
        return
    count = {kind: len(reporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    line = f"{count['passed']} passed, {count['failed'] + count['error']} failed"
    print(line + (f", {count['skipped']} skipped" if count["skipped"] else ""), flush=True)
