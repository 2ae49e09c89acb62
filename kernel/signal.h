/* SPDX-License-Identifier: MIT
 *
 * Sending and delivering signals.
 */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include <kernel/task.h>

/* Bit n-1 of a mask is signal n. */
static inline u64 sigmask(int sig)
{
	return 1ULL << (sig - 1);
}

#define SIG_STOP_MASK (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))
#define SIG_IGNORE_MASK (sigmask(SIGCONT) | sigmask(SIGCHLD) | sigmask(SIGWINCH) | sigmask(SIGURG))
#define SIG_KERNEL_ONLY_MASK (sigmask(SIGKILL) | sigmask(SIGSTOP))

#define TRAP_NR_PAGE_FAULT 14

void signal_init(void);
void sigpending_init(struct sigpending *p);
/* Drops everything. The siglock, or nobody else left to see it. */
void sigpending_flush(struct sigpending *p);

/*
 * Queues a signal with its info (NULL: from the kernel, SI_KERNEL). sig is 1..NSIG. Any context but
 * no siglock held. 0 (also when it is ignored), or -EAGAIN: RLIMIT_SIGPENDING or no memory, for a
 * real-time signal with a value.
 */
int send_signal_task(struct task *t, int sig, const struct siginfo *info);
int send_signal_process(struct process *p, int sig, const struct siginfo *info);
/* To every process of a group. tasklist_lock held. 0 or -ESRCH. */
int send_signal_pgrp(int pgid, int sig, const struct siginfo *info);
/*
 * A fault of the running task: delivered even when blocked or ignored (then it kills).
 * err and trapno go to the signal frame. Interrupts may be on or off.
 */
void force_signal_fault(int sig, int code, unsigned long addr, unsigned long trapno,
			unsigned long err);
/* The same with SI_KERNEL and no address; fatal: the handler is not asked either. */
void force_signal(int sig, bool fatal);
/* A deliverable signal is pending / a fatal one is. */
static inline bool signal_pending(const struct task *t)
{
	return READ_ONCE(t->work) & TASK_WORK_SIGNAL;
}

static inline bool fatal_signal_pending(const struct task *t)
{
	return READ_ONCE(t->pending.mask) & sigmask(SIGKILL);
}

/*
 * Recomputes TASK_WORK_SIGNAL of the running task after its mask or queues changed. siglock held.
 */
void signal_recalc(struct task *t);
/* Changes the caller's mask; SIGKILL and SIGSTOP are taken out. */
void set_blocked(u64 mask);
/*
 * ppoll, pselect, sigsuspend: waits with another mask, given as in the system call (NULL: keep the
 * mask). 0, -EINVAL or -EFAULT. After the wait restore_user_sigmask() puts the old mask back,
 * unless interrupted is true: then handle_signals() does it when the handler has been set up.
 */
int set_user_sigmask(const u64 __user *mask, size_t size);
void restore_user_sigmask(bool interrupted);
/*
 * On the way to user mode with TASK_WORK_SIGNAL: delivers, stops, or does not return. Interrupts
 * on. tf->orig_rax is -1 unless tf is a system call's, whose restart must be considered.
 */
void handle_signals(struct trap_frame *tf);
/* fork: the child's actions, limits (which the siglock guards, too) and empty queue. exec: handlers are gone, ignored stays ignored. */
void signal_fork(struct process *child, struct process *parent);
void signal_exec(struct process *p);
/*
 * do_exit() begins: the caller gets no more signals; process-wide ones that it would have taken go
 * to another thread.
 */
void exit_signals(void);
/* The signals that a process ignores, and those it has handlers for. siglock held. */
void signal_actions(const struct process *p, u64 *ignored, u64 *caught);
/* Kills every thread of the caller's process but itself: do_group_exit, execve. siglock held. */
void zap_other_threads(struct process *p);

/* ---- between signal.c, sigdeliver.c and sys_signal.c. siglock held ---- */

/* Takes the caller's next pending signal outside the mask. Its number, or 0. */
int dequeue_signal(u64 blocked, struct siginfo *info);
/* The thread looks for signals before it next runs user code, wherever it sleeps or runs now. */
void signal_wake(struct task *t);
/* set_blocked() for a mask without SIGKILL and SIGSTOP. */
void set_blocked_locked(u64 mask);
/* The caller stops looking at these: process-wide ones that wait go to a thread that does. */
void signal_retarget(struct process *p, u64 lost);
/* The action of sig changed: what is pending and ignored now goes. */
void signal_drop_ignored(struct process *p, int sig);
/* Default actions are nothing for init, but for faults of its own, and for kernel threads. */
bool is_immortal(const struct process *p);

/* ---- sigframe.c ---- */
/* A signal taken from the queue, with the action it meets. */
struct ksignal {
	int sig;
	struct k_sigaction action;
	u64 blocked;	     /* the mask before */
	u64 saved_blocked;   /* the mask that sigreturn goes back to */
	struct siginfo info; /* SIGINFO_USED bytes of it */
};

/* SS_ONSTACK, SS_DISABLE or 0: where the user stack pointer is. */
unsigned int altstack_flags(const struct sigaltstack *ss, unsigned long rsp);
/* sigaltstack(2) with kernel pointers, either NULL. 0, -EPERM, -EINVAL or -ENOMEM. */
int do_sigaltstack(const struct sigaltstack *ss, struct sigaltstack *old, unsigned long rsp);
/*
 * Builds the frame on the user stack and points tf at the handler. 0 or -EFAULT (tf is unchanged).
 */
int __must_check sigframe_setup(const struct ksignal *ks, struct trap_frame *tf);

#endif
