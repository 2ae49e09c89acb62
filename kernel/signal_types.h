/* SPDX-License-Identifier: MIT
 *
 * Signal data that lives inside tasks and processes.
 */
#ifndef KERNEL_SIGNAL_TYPES_H
#define KERNEL_SIGNAL_TYPES_H

#include <kern/list.h>
#include <kern/types.h>
#include <uapi/signal.h>

/* The bytes of struct siginfo that any code gives a meaning to; the rest is padding. */
#define SIGINFO_USED 48

/* One queued signal. */
struct sigqueue {
	struct list_head node;
	u64 info[SIGINFO_USED / 8]; /* the start of struct siginfo */
};

/*
 * Pending signals: standard ones at most once each, real-time ones queued. The first one lies in
 * the slot, so that the usual signal needs no memory.
 */
struct sigpending {
	u64 mask;		/* [S] bit n-1: signal n is pending */
	struct list_head queue; /* [S] struct sigqueue, in arrival order */
	unsigned int nr_queued; /* [S] */
	bool slot_used;		/* [S] */
	struct sigqueue slot;	/* [S] */
};

/* What restart_syscall() calls again. */
struct restart_block {
	long (*func)(struct restart_block *rb);
	u64 deadline_ns;
	void __user *rmtp;
	int clock;
	int nfds;
	void __user *ufds;
	bool has_deadline;
	u32 futex_val, futex_bitset;
};

#endif
