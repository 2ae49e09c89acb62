/* SPDX-License-Identifier: MIT
 *
 * The one way for a page to appear: hardware faults, populate, mlock and kernel accesses to user memory
 * all end in mm_handle_fault()'s four phases.
 */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include <kern/types.h>

struct mm;

/*
 * What the CPU said: an access, and perhaps more. The numbers are those bits of x86's error code (Intel SDM, volume 3,
 * 4.7), so that nothing need be translated.
 */
enum fault_access { FAULT_READ = 0, FAULT_WRITE = 0x2, FAULT_EXEC = 0x10 };
#define FAULT_PRESENT 0x1u /* the entry was present: a protection fault */
#define FAULT_USER 0x4u	   /* the access came from user mode */

enum fault_result {
	FAULT_DONE,   /* the access may be repeated and will get further */
	FAULT_RETRY,  /* internal: look again from the start */
	FAULT_WAIT,   /* internal: wait for I/O without mmap_lock, then look again */
	FAULT_MAPERR, /* SIGSEGV, SEGV_MAPERR: nothing is mapped there */
	FAULT_ACCERR, /* SIGSEGV, SEGV_ACCERR: the mapping forbids it */
	FAULT_BUS,    /* SIGBUS, BUS_ADRERR: beyond end of file, or a read error */
	FAULT_OOM,    /* no memory */
	FAULT_KILLED, /* a fatal signal came while waiting */
};

/*
 * addr: the exact byte; how: an access, FAULT_PRESENT, FAULT_USER. Takes mmap_lock for reading (for writing to grow a
 * stack). May sleep.
 */
enum fault_result mm_handle_fault(struct mm *mm, unsigned long addr, unsigned int how);

#endif
