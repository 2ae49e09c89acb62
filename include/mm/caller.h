/* SPDX-License-Identifier: MIT
 *
 * What mm/ asks about the task on whose behalf it works. mm/ never sees `current`: kernel/sys_mm.c
 * answers in the kernel, tests/host/sim answers on the host.
 */
#ifndef MM_CALLER_H
#define MM_CALLER_H

#include <kern/types.h>

/* With the numbers of RLIMIT_*. */
enum caller_limit { LIMIT_DATA = 2, LIMIT_STACK = 3, LIMIT_MEMLOCK = 8, LIMIT_AS = 9 };

/* The soft limit in bytes; ~0UL is no limit. */
unsigned long caller_rlimit(enum caller_limit which);
/* The hard one of LIMIT_DATA. */
unsigned long caller_hard_data_limit(void);
bool caller_has_ipc_lock(void);	 /* CAP_IPC_LOCK: no RLIMIT_MEMLOCK */
bool caller_has_rawio(void);	 /* CAP_SYS_RAWIO: may map below mmap_min_addr */
bool caller_has_sys_admin(void); /* CAP_SYS_ADMIN: uses the commit reserve */
/* A random number for address-space randomisation and the like. */
u64 caller_random(void);
/* Count n faults for the task's rusage. */
void caller_count_minor_faults(unsigned long n);
void caller_count_major_faults(unsigned long n);

/* The caller's own mark that it is reclaiming: then it may use the last pages, and does not reclaim again. */
bool *caller_reclaiming(void);
/*
 * Memory has run out: somebody is killed, or a victim's memory is taken, or one is still dying. False when there is
 * nobody left whose death would help.
 */
bool caller_out_of_memory(void);

struct file;
/* References to the file behind a mapping: mm/ only keeps them and hands them out. */
void file_get(struct file *f);
void file_put(struct file *f);

#endif
