/* SPDX-License-Identifier: MIT
 *
 * struct task, what the scheduler runs; struct process, what tasks of one program share.
 *
 * Lock letters: [I] fixed after creation, [o] only the task itself, [T] tasklist_lock, [S] process->siglock,
 * [Q] run-queue lock, [A] atomic.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include <arch/cpu.h>
#include <arch/thread.h>
#include <kern/atomic.h>
#include <kern/list.h>
#include <kern/types.h>
#include <kernel/signal_types.h>
#include <kernel/timer.h>
#include <kernel/wait.h>
#include <sync/spinlock.h>
#include <uapi/capability.h>
#include <uapi/resource.h>

struct mm;
struct files;
struct fs_context;
struct file;
struct tty;
struct user;
struct user_namespace;

enum task_state {
	TASK_RUNNING,	      /* running or on a run queue */
	TASK_INTERRUPTIBLE,   /* asleep: PARK_INTERRUPTIBLE */
	TASK_KILLABLE,	      /* asleep: PARK_KILLABLE */
	TASK_UNINTERRUPTIBLE, /* asleep: PARK_UNINTERRUPTIBLE */
	TASK_STOPPED,	      /* job control */
	TASK_ZOMBIE,	      /* exited, not reaped */
	TASK_DEAD,	      /* reaped or self-reaping: freed after the last switch away */
};

/* User and group identity in kernel ids, capability sets and where they count. */
struct cred {
	struct user_namespace *user_ns; /* a task's own: one reference */
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u64 cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	u32 ngroups;
	u32 groups[32];
};

#define CAP_FULL_SET ((1ULL << (CAP_LAST_CAP + 1)) - 1)

/* What all threads of a program share (Linux: signal_struct and sighand_struct). */
struct process {
	int pid;		      /* [I] thread group id */
	refcount_t refs;	      /* [A] tasks and /proc handles */
	struct task *leader;	      /* [T] the thread with tid == pid */
	struct list_head threads;     /* [T][S] either to walk, both to change: task->thread_node */
	unsigned int nr_threads;      /* [T] those that have not exited */
	struct process *parent;	      /* [T] */
	struct list_head children;    /* [T] */
	struct list_head sibling;     /* [T] in parent->children */
	struct list_head node;	      /* [T] in the list of all processes */
	int pgid, sid;		      /* [T] */
	struct tty *ctty;	      /* [T] controlling terminal */
	struct wait_queue child_wait; /* wait4() sleeps here */

	spinlock_t siglock;
	u64 actions_set;	   /* [S] bit n-1: sigaction() was called for signal n since exec */
	struct sigpending pending; /* [S] for any thread */
	int group_exit_code;	   /* [S] wait status */
	bool group_exiting;	   /* [S] all threads must end */
	struct task *exec_task;	   /* [S] execve: every other thread must end */
	bool stopped;		   /* [S] by a job-control signal */
	unsigned int stop_count;   /* [S] threads that have yet to stop before stopped is set */
	int stop_by;	    /* [S] the signal of the stop that begins or is under way, or 0 */
	int cld_report;	    /* [S] CLD_* that a thread still has to tell the parent, or 0 */
	bool mortal;	    /* [S] pid 1 that a forced signal kills all the same */
	bool kernel_thread; /* [const] signals are nothing to it */
	int stop_signal;    /* [S] to be reported by wait4, 0 when it was */
	bool continued;	    /* [S] to be reported by wait4(WCONTINUED) */

	struct itimer_state itimers[3]; /* [S] ITIMER_REAL, VIRTUAL, PROF */
	int exit_code;			/* [T] wait status once a zombie */
	int exit_signal;		/* [T] sent to the parent, usually SIGCHLD */
	bool zombie;			/* [T] */
	bool did_exec;			/* [T] setpgid rule */
	bool is_init_reaper;		/* [T] prctl(PR_SET_CHILD_SUBREAPER) */
	int oom_score_adj;		/* [A] */
	int oom_score_adj_min; /* [A] what the unprivileged may lower it to: set by privileged writers */
	bool oom_origin;       /* [A] it asks for all this memory, so it is killed first */
	bool dumpable;	       /* [A] */
	u64 start_ns;	       /* [I] */
	u64 utime_ns, stime_ns;	  /* [S] of threads that ended */
	u64 cutime_ns, cstime_ns; /* [T] of reaped children */
	unsigned long min_flt, maj_flt, cmin_flt,
		cmaj_flt; /* [T] of threads that ended, of reaped children */
	unsigned long maxrss_pages, cmaxrss_pages;    /* [T] */
	unsigned long nvcsw, nivcsw, cnvcsw, cnivcsw; /* [T] */

	/* From here on: what fork copies as a whole. */
	struct k_sigaction action[NSIG];     /* [S] index: signal - 1 */
	struct rlimit rlimits[RLIM_NLIMITS]; /* [S] */
};

#define PROCESS_ZEROED offsetof(struct process, action)

struct task {
	struct arch_thread thread; /* [o] */
	int tid;		   /* [I] */
	enum task_state state;	   /* [Q] */
	unsigned long work;	   /* [A] TASK_WORK_*: looked at on the way to user mode */
	struct mm *mm;		   /* [o][T to change] NULL for kernel tasks; one mm user */
	struct process *process;   /* [I] one reference */
	struct files *files;	   /* [o][T to change] NULL once exiting */
	struct fs_context *fs;	   /* [o][T to change] cwd, root, umask */
	/*
	 * [o][T to change more than one word, or to read another task's]. While access() lasts, fsuid,
	 * fsgid and cap_effective are not what they seem.
	 */
	struct cred cred;
	char comm[16];	 /* [T] but for [o] to read one's own; zeroes to the end */
	refcount_t refs; /* [A] the scheduler's and /proc's */

	struct list_head run_node; /* [Q] */
	bool unparked;		   /* [Q] a wake-up that park() has not consumed */
	bool queued;		   /* [Q] on a list of its run queue */
	bool tick_in_user;	   /* [Q] what the latest tick interrupted was user mode */
	unsigned int cpu;	   /* [Q] of the queue it leaves: runs there, or did last */
	s64 slice_ns;		   /* [Q] time slice left when last switched out */
	u64 accounted_ns;	   /* [Q] clock_ns() up to which CPU time was charged */
	u64 utime_ns, stime_ns;	   /* [Q] */

	struct list_head thread_node; /* [T] in process->threads */
	struct list_head pid_node;    /* [T] hash chain by tid */

	u64 blocked;	      /* [o][S to change] signal mask, bit n-1 */
	u64 saved_blocked;    /* [o] to restore after sigsuspend, ppoll, pselect */
	bool restore_blocked; /* [o] */
	u64 sigwait;	      /* [S] what rt_sigtimedwait() waits for: wakes although blocked */
	bool stop_pending;    /* [S] must stop on its way to user mode */
	bool stopped;	      /* [S] has stopped, until SIGCONT or SIGKILL */
	struct sigpending pending;		   /* [S] */
	struct sigaltstack altstack;		   /* [o] */
	unsigned long trap_nr, trap_err, trap_cr2; /* [o] of the latest fault, for signal frames */
	struct restart_block restart;		   /* [o] restart_syscall() */

	u32 __user *set_child_tid, *clear_child_tid; /* [o] */
	void __user *robust_list;		     /* [o] */
	size_t robust_list_len;
	struct completion *vfork_done; /* [o] the parent waits for it */
	int pdeath_signal;	       /* [o] prctl(PR_SET_PDEATHSIG) */
	bool exiting;		       /* [S] do_exit() has begun: gets no more signals */
	bool exited; /* [T] through exit_notify(): only the leader is still in threads then */
	bool nproc_exceeded; /* [o] a set*uid call went over RLIMIT_NPROC: the next exec fails */
	bool no_new_privs;   /* [o] prctl(PR_SET_NO_NEW_PRIVS) */
	u32 securebits;	     /* [o] SECBIT_* */
	u32 personality;     /* [o] */
	int nice;	     /* [T to change] shortens the time slice */
	u64 cpus_allowed;    /* [Q to change] bit n: may run on CPU n; some online one is set */
	struct user *user;   /* [o] of the real uid; one reference */
	bool reclaiming;     /* [o] frees memory: may use the last of it meanwhile */
	unsigned long min_flt, maj_flt; /* [o] */
	unsigned long nvcsw, nivcsw;	/* [o] */
	/* [o] while faults are measured, TSC: it began, its phase did, zeroing did; 0: not under way */
	u64 fault_began, phase_began, zero_began;
#ifdef CONFIG_DEBUG
	struct lockdep_stack held; /* [o] sleeping locks */
#endif
};

/* task->work: reasons to leave the fast return path. */
#define TASK_WORK_SIGNAL (1UL << 0)	  /* look for signals */
#define TASK_WORK_FULL_RESTORE (1UL << 1) /* registers were changed: restore all by IRETQ */

static inline void task_set_work(struct task *t, unsigned long work)
{
	__atomic_or_fetch(&t->work, work, __ATOMIC_RELAXED);
}

static inline void task_clear_work(struct task *t, unsigned long work)
{
	__atomic_and_fetch(&t->work, ~work, __ATOMIC_RELAXED);
}

static inline struct task *current_task(void)
{
	struct task *t;

	/* Not volatile: it is the same value everywhere in one task's code. */
	__asm__("movq %%gs:24, %0" : "=r"(t));
	return t;
}
#define current current_task()

extern spinlock_t tasklist_lock;       /* irqsave not needed: never taken from interrupts */
extern struct list_head all_processes; /* [T] process->node */
extern struct process *init_process;   /* pid 1 */

/* ---- kernel/task.c, kernel/task_alloc.c ---- */
void task_init(void); /* caches, pid table, the boot CPU's idle task */
void task_get(struct task *t);
void task_put(struct task *t);
void process_put(struct process *p);

/* ---- kernel/kthread.c ---- */
/* Starts a kernel thread, a process of its own. ERR_PTR(-ENOMEM, -EAGAIN). */
struct task *kernel_thread(void (*fn)(void *), void *arg, const char *name);
/* The idle task of a CPU that is about to start, with a stack. NULL: no memory. */
struct task *idle_task_create(unsigned int cpu);

/* ---- kernel/pid.c ---- */
/* The thread with this tid / the process with this pid, or NULL. tasklist_lock held. */
struct task *task_find(int tid);
struct process *process_find(int pid);
/*
 * Another task's parts, each with a reference, or NULL when it has none (any more). Takes tasklist_lock,
 * under which exec, exit and unshare replace task->mm, ->files and ->fs.
 */
struct mm *task_get_mm(struct task *t);
struct fs_context *task_get_fs(struct task *t);
/*
 * Another task's open file, with a reference, or NULL; and the number of slots of its table, 0 when it has none.
 * No reference to a table: it would look shared to its owner. Take tasklist_lock.
 */
struct file *task_get_file(struct task *t, int fd);
int task_files_max(struct task *t);
/* Another process has the caller's fs_context, too (CLONE_FS). Takes tasklist_lock. */
bool task_shares_fs(void);
/* Any task's name. Take tasklist_lock. */
void task_get_comm(const struct task *t, char comm[static 16]);
void task_set_comm(struct task *t, const char *name);

/* ---- kernel/trace/events.c ---- */
/* Records sched_switch. */
void trace_sched_switch(const struct task *prev, const struct task *next);

/* ---- kernel/exec.c ---- */
/* argv, envp: kernel arrays of kernel strings (boot) - the system call gathers user ones first. */
int kernel_execve(const char *path, const char *const *argv, const char *const *envp);

/* ---- kernel/exit.c ---- */
/* code is a wait status: exit code << 8, or signal number (| 0x80 for a core dump). */
void do_exit(int code) __attribute__((noreturn));
void do_group_exit(int code) __attribute__((noreturn));

/* ---- kernel/sched.c ---- */
void sched_init(void);
void sched_start(void) __attribute__((noreturn)); /* the running code becomes its CPU's idle loop */
/* The running code becomes this CPU's idle task. */
void sched_init_idle(struct task *idle);
void sched_add(struct task *t); /* makes a new task runnable */
void sched_yield_cpu(void);	/* behind every other runnable task */
void schedule(void);		/* lets another task run; returns when this one runs again */
void schedule_tail(void);	/* first thing in a new task's life: finishes the switch */
void sched_tick(
	bool from_user); /* from every timer interrupt: CPU-time accounting and time slice */
/* clock_ns() value at which this CPU wants sched_tick(), ~0 when it is idle: timer.c programs it. */
u64 sched_next_tick(void);
/* park() that shows another state in /proc: TASK_STOPPED for job control. Woken by unpark() alone. */
void park_as(enum task_state state);
/* When t runs on another CPU, makes it pass through exit_to_user_work() soon. t is referenced. */
void sched_kick(struct task *t);
/* CPU time of a running or finished thread, up to now. */
void task_cputime(struct task *t, u64 *utime_ns, u64 *stime_ns);
/* Of a whole process: live threads and those that ended. siglock or tasklist_lock held. */
void process_cputime(struct process *p, u64 *utime_ns, u64 *stime_ns);
/* Bit n: CPU n runs tasks. */
u64 sched_online_cpus(void);
/* Runnable and running tasks, the idle ones not counted; tasks in uninterruptible sleep not either. */
unsigned int sched_nr_running(void);
/* The load average of 1, 5 and 15 minutes (i: 0 to 2), with 16 fraction bits. fs/procfs/loadavg.c. */
u64 loadavg_read(unsigned int i);
/* Nanoseconds that a CPU has spent so since boot, up to its last tick or switch. */
void sched_cpu_times(unsigned int cpu, u64 *user_ns, u64 *system_ns, u64 *idle_ns);
/* Context switches since boot. */
u64 sched_nr_switches(void);
/* Where t may run. It leaves a CPU that is not among them: at once if it waits for one, else soon. */
void sched_set_allowed(struct task *t, u64 mask);
/* The caller runs in mm from here on; returns what it ran in (or NULL), whose user the caller now owns. */
struct mm *sched_use_mm(struct mm *mm);
/* The caller leaves its address space for good. */
void sched_drop_mm(void);

/* A capability in the initial user namespace; towards ns (kernel/user_namespace.h). */
bool capable(int cap);
bool ns_capable(const struct user_namespace *ns, int cap);

#endif
