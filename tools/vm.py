# SPDX-License-Identifier: MIT
"""One virtual machine: QEMU's command line, its two serial lines, and the promise that it never stays behind.

Serial 0 is the guest's console, serial 1 the control line of init (user/init/control.h). Both are socket pairs, so
bytes pass unchanged. QEMU dies with this process whatever happens to it (PR_SET_PDEATHSIG).
"""

import ctypes
import mmap
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
QEMU = os.environ.get("QEMU", "qemu-system-x86_64")

# What QEMU exits with when the guest writes 0x10 (power off) or 0x20 (panic) to the debug-exit port.
EXIT_POWER_OFF, EXIT_PANIC = 33, 65

# YARDSTICK.md's command: the virtual clock and the time-stamp counter advance by one an instruction.
ICOUNT_FLAGS = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-seed", "1",
                "-rtc", "base=2025-01-01T00:00:00,clock=vm", "-cpu", "max,-rdrand,-rdseed,-erms,-fsrm,-pku,-la57"]  # fmt: skip
# With several CPUs they take turns, and a turn ends with the next event of the virtual clock at the latest: the timer of a
# filter for network packets, which there are none of, is such an event every so many microseconds. Who is next in the
# row then only sees to the event, and gets no turn (QEMU 7.2): so every other CPU is one that the guest does not use.
# Linux can be told to leave out one, no more.
TURN_US = 1
TURN_FLAGS = ["-netdev", "hubport,id=turns,hubid=0", "-object", f"filter-buffer,id=turn,netdev=turns,interval={TURN_US}"]
ICOUNT_SMP_APPEND, LINUX_ICOUNT_SMP_APPEND = "smp.stride=2", "disable_cpu_apicid=1"
LINUX_ICOUNT_MAX_CPUS = 2
# On a busy host Linux may not see its timer tick in time at boot, and panics.
LINUX_APPEND = "no_timer_check"
LINUX_ICOUNT_APPEND = "nokaslr norandmaps random.trust_cpu=off random.trust_bootloader=off"
# Where mappings lie decides how many page tables they need, so a changed program would change the figures.
ICOUNT_APPEND = "kernel.randomize_va_space=0"


@dataclass
class Config:
    kernel: str  # path of the image
    initrd: str
    linux: bool = False
    mem: str = "512M"
    smp: int = 1
    icount: bool = False
    kvm: bool = False
    gdb: str | None = None  # where QEMU waits for a debugger
    loglevel: int = 4
    machine: str = "pc"
    disks: list = field(default_factory=list)  # disks.Disk
    qmp: str | None = None  # path of the socket where QEMU listens for commands
    knobs: list = field(default_factory=list)  # "NAME=VALUE"
    shared_memory: bool = False  # the machine's RAM can be read, here and after its end: Session.memory

    def takes_turns(self):
        return self.icount and self.smp > 1

    def append(self):
        """The kernel command line."""
        words = ["console=ttyS0"]
        if self.linux:
            words += ["quiet" if self.loglevel <= 4 else f"loglevel={self.loglevel}", "panic=-1", "rdinit=/init"]
            words.append(LINUX_ICOUNT_APPEND if self.icount else LINUX_APPEND)
            if self.takes_turns():
                words.append(LINUX_ICOUNT_SMP_APPEND)
        else:
            words += [f"loglevel={self.loglevel}", "rdinit=/init"]
            if self.icount:
                words.append(ICOUNT_APPEND)
            if self.takes_turns():
                words.append(ICOUNT_SMP_APPEND)
        return " ".join(words + self.knobs)

    def command(self):
        """QEMU's argv but for the serial lines."""
        argv = [QEMU, "-nodefaults", "-no-user-config", "-machine", self.machine]
        if self.icount:
            argv += ICOUNT_FLAGS
        elif self.kvm:
            argv += ["-accel", "kvm", "-cpu", "host"]
        else:
            argv += ["-accel", "tcg", "-cpu", "max,-la57"]  # four levels, as on the machines people have
        cpus = self.smp
        if self.takes_turns():
            cpus = 2 * self.smp - 1
            argv += TURN_FLAGS
        argv += ["-m", self.mem, "-smp", str(cpus), "-nic", "none", "-vga", "none", "-display", "none", "-no-reboot"]
        argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        # Nothing but the kernel is booted: else the firmware takes memory for each disk, in the end the initramfs's.
        argv += ["-boot", "strict=on"]
        for n, disk in enumerate(self.disks):
            argv += disk.arguments(f"disk{n}")
        if self.qmp:
            argv += ["-qmp", f"unix:{self.qmp},server=on,wait=off"]
        if self.gdb:
            argv += ["-gdb", self.gdb, "-S"]
        return argv + ["-kernel", self.kernel, "-initrd", self.initrd, "-append", self.append()]


def size_bytes(text):
    """QEMU's -m: mebibytes unless a suffix says otherwise."""
    units = {"K": 10, "M": 20, "G": 30, "T": 40}
    return int(text[:-1]) << units[text[-1].upper()] if text[-1].upper() in units else int(text) << 20


def low_memory(config):
    """Bytes of RAM below 4 GiB, the rest being above: as QEMU's pc and q35 place it."""
    size = size_bytes(config.mem)
    if config.machine == "q35":
        return min(size, 0xB0000000) if size < 0xB0000000 else 0x80000000
    return min(size, 0xE0000000) if size < 0xE0000000 else 0xC0000000


def die_with_parent():
    """In a new process: it is killed when the one that made it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() == 1:
        os._exit(1)


class Machine:
    """A running QEMU. console and control are sockets; stderr collects QEMU's own complaints."""

    def __init__(self, config, verbose=False):
        if not shutil.which(QEMU):
            sys.exit(f"{QEMU} is missing; `tools/setup run` installs it")
        self.config = config
        self.console, console_peer = socket.socketpair()
        self.control, control_peer = socket.socketpair()
        argv = config.command()
        fds = [console_peer.fileno(), control_peer.fileno(), *(fd for d in config.disks for fd in d.fds())]
        self.memory = None
        if config.shared_memory:
            size = size_bytes(config.mem)
            ram = os.memfd_create("ram")
            os.ftruncate(ram, size)
            self.memory = mmap.mmap(ram, size, prot=mmap.PROT_READ)
            fds.append(ram)
            argv[argv.index("-machine") + 1] += ",memory-backend=ram"
            argv += ["-object", f"memory-backend-file,id=ram,share=on,size={size},mem-path=/dev/fd/{ram}"]
        for i, peer in enumerate((console_peer, control_peer)):
            argv += ["-chardev", f"socket,id=s{i},fd={peer.fileno()}", "-serial", f"chardev:s{i}"]
        if verbose:
            print(shlex.join(argv), file=sys.stderr)
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=fds,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        console_peer.close()
        control_peer.close()
        if config.shared_memory:
            os.close(ram)

    def kill(self):
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return self.process.wait()

    def close(self):
        self.kill()
        self.console.close()
        self.control.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class ControlParser:
    """The control line's frames: feed() yields ("out" | "err", bytes) and ("line", text)."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\n")) >= 0:
            line = bytes(self.buffer[:end])
            size = 0
            if line[:2] in (b"o ", b"e ") and line[2:].isdigit():
                size = int(line[2:])
                if len(self.buffer) < end + 1 + size:
                    return
                yield ("out" if line[:1] == b"o" else "err", bytes(self.buffer[end + 1 : end + 1 + size]))
            else:
                yield "line", line.decode(errors="replace").strip("\r\0")
            del self.buffer[: end + 1 + size]


@dataclass
class Result:
    """How a session ended: status is the last job's, None when the machine ended without saying so."""

    status: int | None = None
    qemu: int | None = None
    timed_out: bool = False
    panicked: bool = False
    log: bytes = b""  # what came over the console
    complaint: str = ""  # QEMU's own message


class Session:
    """Runs a machine to its end, passing streams between it and whoever overrides the on_* methods."""

    def __init__(self, config, timeout=None, verbose=False):
        self.config, self.timeout, self.verbose = config, timeout, verbose
        self.stdin_fd = None  # answers the guest's requests for input
        self.asked = False
        self.memory = None  # the machine's RAM, if config.shared_memory
        self.result = Result()
        self.log = bytearray()

    def on_console(self, data):
        self.log += data

    def on_output(self, stream, data):
        pass

    def on_line(self, line):
        pass

    def extra_fds(self):
        return []

    def on_extra(self, fd):
        pass

    def run(self):
        deadline = time.monotonic() + self.timeout if self.timeout else None
        with Machine(self.config, self.verbose) as self.machine:
            self.memory = self.machine.memory
            self.parser = ControlParser()
            self._loop(deadline)
            if self.result.status is not None and not self.result.panicked:
                self._await_power_off()
            self.result.qemu = self.machine.kill()
            self._drain()
            complaint = self.machine.process.stderr.read()
        self.result.log = bytes(self.log)
        self.result.complaint = complaint.decode(errors="replace").strip()
        self.result.panicked |= self.result.qemu == EXIT_PANIC
        return self.result

    def _loop(self, deadline):
        sockets = {self.machine.console, self.machine.control}
        while sockets and self.result.status is None:
            fds = list(sockets) + self.extra_fds()
            if self.asked and self.stdin_fd is not None:
                fds.append(self.stdin_fd)
            wait = None if deadline is None else deadline - time.monotonic()
            if wait is not None and wait <= 0:
                self.result.timed_out = True
                return
            for fd in select.select(fds, [], [], wait)[0]:
                if fd is self.machine.console or fd is self.machine.control:
                    if not self._receive(fd):
                        sockets.discard(fd)
                elif fd == self.stdin_fd and self.asked:
                    self._answer()
                else:
                    self.on_extra(fd)

    def _receive(self, sock):
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            return False
        if sock is self.machine.console:
            if data:
                self.on_console(data)
            return bool(data)
        for kind, value in self.parser.feed(data):
            if kind != "line":
                self.on_output(kind, value)
            elif value.startswith("exit ") and value[5:].isdigit():
                self.result.status = int(value[5:])
            elif value == "in":
                self.asked = True
            else:
                self.on_line(value)
        return bool(data)

    def _answer(self):
        """The guest asked for input: one chunk of what there is, or the end."""
        try:
            data = os.read(self.stdin_fd, 1024)
        except OSError:
            data = b""
        self.asked = False
        self.machine.control.sendall(b"%d\n" % len(data) + data)

    def _await_power_off(self):
        """Faultline leaves at once; Linux takes its time and has nothing more to say."""
        if not self.config.linux:
            try:
                self.machine.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                pass

    def _drain(self):
        for sock in (self.machine.console, self.machine.control):
            sock.setblocking(False)
            try:
                while self._receive(sock):
                    pass
            except (BlockingIOError, OSError):
                pass


def build(directory, *targets, debug=False):
    """Makes targets quietly; exits with make's own words when that fails."""
    argv = ["make", "-s", "-C", TOP, f"-j{os.cpu_count() or 1}", f"O={directory}", f"DEBUG={int(debug)}", *targets]
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    made = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    if made.returncode:
        sys.stderr.write(made.stdout + made.stderr)
        sys.exit(125)
