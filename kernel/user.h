/* SPDX-License-Identifier: MIT
 *
 * What is counted for all tasks of one real user id together.
 */
#ifndef KERNEL_USER_H
#define KERNEL_USER_H

#include <kern/atomic.h>
#include <kern/list.h>

struct user {
	struct list_head node;	  /* [users_lock] hash chain */
	u32 uid;		  /* [I] */
	refcount_t refs;	  /* [A] */
	atomic_t tasks;		  /* [A] for RLIMIT_NPROC */
	atomic_long_t locked_shm; /* [A] pages of segments under SHM_LOCK, for RLIMIT_MEMLOCK */
};

void user_init(void);
/* The object of a uid, with a reference; NULL when out of memory. */
struct user *user_find(u32 uid);
void user_get(struct user *u);
void user_put(struct user *u);
/*
 * The caller's user has more tasks than the caller's RLIMIT_NPROC allows, and the limit binds it.
 */
bool user_over_nproc(void);
/*
 * Charges pages of locked shared memory, with a reference to u until they are given back. False: more than the
 * caller's RLIMIT_MEMLOCK allows, and the limit binds it.
 */
bool user_charge_locked(struct user *u, unsigned long pages);
void user_uncharge_locked(struct user *u, unsigned long pages);

#endif
