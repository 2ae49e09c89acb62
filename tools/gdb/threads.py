# SPDX-License-Identifier: MIT
import re

import gdb
import kernel

DEPTH = 8


def saved_frames(task):
    """Return addresses of a task that does not run, innermost first: switch_stacks() left the frame pointer."""
    thread = task["thread"]
    low, high = int(thread["rsp"]), int(thread["kstack_top"])
    if not low or not high:
        return []
    frame = kernel.at(low, "struct switch_frame")
    found, rbp = [int(frame["rip"])], int(frame["rbp"])
    while low <= rbp < high - 16 and len(found) < DEPTH:
        low = rbp + 8
        rbp, address = kernel.read_words(rbp, 2)
        found.append(address)
    return found


def where_it_runs(cpu):
    """What a running CPU does. Looks at it as gdb's thread and comes back."""
    before = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            if max(thread.ptid[1], 1) - 1 == cpu:
                thread.switch()
                frame = gdb.newest_frame()
                if int(frame.read_register("cs")) & 3:
                    return f"user mode at {frame.pc():#x}"
                return kernel.function(frame.pc())
    finally:
        before.switch()
    return "?"


def chain(task):
    return " < ".join(re.split(r"[.[+]", kernel.function(pc))[0] for pc in saved_frames(task)[1:])


def state(task):
    names = dict((value, name) for name, value in kernel.enumerators("task_state"))
    return names[int(task["state"])].removeprefix("TASK_").lower()


def row(task, on_cpu):
    """on_cpu: where it runs now, or None."""
    place = f"CPU {on_cpu}" if on_cpu is not None else state(task)
    what = where_it_runs(on_cpu) if on_cpu is not None else chain(task)
    return f"{int(task['tid']):6} {int(task['process']['pid']):6} {kernel.comm(task):15} {place:15} {what}"


class Threads(kernel.Command):
    """threads: all tasks: what each does, or in which functions it sleeps, innermost first."""

    def run(self, arguments):
        cpus = {}
        for n in kernel.online_cpus():
            task = kernel.running(n)
            if task is not None:
                cpus[int(task.address)] = n
        print("   tid    pid name            state           where")
        for task in kernel.tasks():
            print(row(task, cpus.pop(int(task.address), None)))
        for n in sorted(cpus.values()):
            print(f"{'':14}{'idle':15} {f'CPU {n}':15} {where_it_runs(n)}")


def register():
    Threads()
