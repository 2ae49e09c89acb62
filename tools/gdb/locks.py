# SPDX-License-Identifier: MIT
import gdb
import kernel


def lock_name(held):
    """A held lock's class as the lock-order checker calls it; a lock of its own is known by its variable."""
    lock_class = kernel.static("kernel/sync/lockdep.c", "classes")[int(held["node"]) // 2]
    if int(lock_class["name"]):
        return lock_class["name"].string()
    return kernel.function(held["lock"])


def held_locks(stack):
    return [f"{lock_name(h)} {int(h['lock']):#x} since {kernel.function(h['ip'])}"
            for h in (stack["held"][n] for n in range(min(int(stack["nr"]), 64)))]  # fmt: skip


def show_held():
    """What CPUs and tasks hold: a debug kernel knows."""
    try:
        stacks = kernel.static("kernel/lockdep_env.c", "cpu_stacks")
    except gdb.error:
        print("a release kernel does not keep what is held; locks with waiters:")
        return
    for cpu in kernel.online_cpus():
        for text in held_locks(stacks[cpu]):
            print(f"CPU {cpu}: {text}")
    for task in kernel.tasks():
        for text in held_locks(task["held"]):
            print(f"{kernel.comm(task)} ({int(task['tid'])}): {text}")


def all_mms():
    return kernel.linked(kernel.static("mm/mm.c", "all")["mms"], "struct mm", "node")


def owners():
    """address of an mm -> a name for it"""
    return {int(t["mm"]): f"{kernel.comm(t)} ({int(t['process']['pid'])})" for t in kernel.tasks() if int(t["mm"])}


def show_mmap_lock(mm, name):
    sem = mm["mmap_lock"]
    count = int(sem["count"])
    waiting = [w for n in range(2) for w in kernel.linked(sem["waiters"][n], "struct rwsem_waiter", "node", 1000)]
    if not count and not waiting:
        return
    writer, readers = count & 1, count >> 8
    if writer:
        owner = sem["owner"]
        holders = f"written by {kernel.comm(owner)} ({int(owner['tid'])})" if int(owner) else "held for writing"
    else:
        holders = f"{readers} readers" if readers else "free"
    print(f"mmap_lock of {name}: {holders}, {len(waiting)} waiting")
    for w in waiting:
        print(f"  {kernel.comm(w['task'])} ({int(w['task']['tid'])}) to {'write' if w['writer'] else 'read'}")


class Locks(kernel.Command):
    """locks: what each CPU and task holds and since where, which a debug kernel knows; and every mmap_lock that is
    held or waited for."""

    def run(self, arguments):
        show_held()
        names = owners()
        for mm in all_mms():
            show_mmap_lock(mm, names.get(int(mm.address), f"mm {int(mm.address):#x}"))


def register():
    Locks()
