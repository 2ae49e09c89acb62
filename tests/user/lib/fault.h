/* SPDX-License-Identifier: MIT
 *
 * Accesses that must or must not fault, and which fault it is.
 *
 * CHECK_FAULT(statement, signal, code, address) demands that the statement raises exactly that fault;
 * CHECK_NO_FAULT(statement) that it raises none.
 */
#ifndef TESTS_USER_LIB_FAULT_H
#define TESTS_USER_LIB_FAULT_H

#include <setjmp.h>

#include "check.h"

struct caught {
	int sig, code;
	unsigned long addr, err, trapno, rip;
};

extern sigjmp_buf fault_jump;
extern volatile struct caught fault_seen; /* by the last CATCH() */

/* Between the two, a fault jumps to fault_jump; whoever handled it before does so again afterwards. */
void faults_catch(void);
void faults_release(void);

/* Runs the statement; fault_seen then says which signal it raised (sig 0: none). */
#define CATCH(statement)                                                                           \
	do {                                                                                       \
		faults_catch();                                                                    \
		if (!sigsetjmp(fault_jump, 1)) {                                                   \
			statement;                                                                 \
		}                                                                                  \
		faults_release();                                                                  \
	} while (0)

#define CHECK_FAULT(statement, want_sig, want_code, want_addr)                                     \
	do {                                                                                       \
		CATCH(statement);                                                                  \
		if (fault_seen.sig != (want_sig) || fault_seen.code != (int)(want_code) ||         \
		    fault_seen.addr != (unsigned long)(want_addr))                                 \
			FAIL("%s: signal %d code %d address %#lx, want %d %d %#lx", #statement,    \
			     fault_seen.sig, fault_seen.code, fault_seen.addr, (want_sig),         \
			     (int)(want_code), (unsigned long)(want_addr));                        \
	} while (0)

#define CHECK_NO_FAULT(statement)                                                                  \
	do {                                                                                       \
		CATCH(statement);                                                                  \
		if (fault_seen.sig)                                                                \
			FAIL("%s: signal %d code %d address %#lx, want none", #statement,          \
			     fault_seen.sig, fault_seen.code, fault_seen.addr);                    \
	} while (0)

static inline unsigned char load(const volatile void *p)
{
	return *(const volatile unsigned char *)p;
}

static inline void store(volatile void *p, unsigned char v)
{
	*(volatile unsigned char *)p = v;
}

/* Calls the address as a function; writing "ret" there first makes the call harmless. */
static inline void jump_to(const volatile void *p)
{
	__asm__ volatile("call *%0"
			 :
			 : "r"(p)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory",
			   "cc");
}
#define RET_INSTRUCTION 0xc3

#endif
