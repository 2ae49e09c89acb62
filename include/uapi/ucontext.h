/* SPDX-License-Identifier: MIT
 *
 * What a signal handler finds on its stack: the Linux x86_64 ABI's rt_sigframe.
 */
#ifndef UAPI_UCONTEXT_H
#define UAPI_UCONTEXT_H

#include <uapi/signal.h>

/* ucontext.uc_flags */
#define UC_FP_XSTATE 0x1	 /* fpstate is an XSAVE area */
#define UC_SIGCONTEXT_SS 0x2	 /* ss is saved */
#define UC_STRICT_RESTORE_SS 0x4 /* and restored as it is */

struct sigcontext {
	unsigned long r8, r9, r10, r11, r12, r13, r14, r15;
	unsigned long rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
	unsigned long eflags;
	unsigned short cs, gs, fs, ss;
	unsigned long err;
	unsigned long trapno;
	unsigned long oldmask;
	unsigned long cr2;
	unsigned long fpstate; /* user address of the FPU area, or 0 */
	unsigned long reserved1[8];
};

struct ucontext {
	unsigned long uc_flags;
	unsigned long uc_link;
	struct sigaltstack uc_stack;
	struct sigcontext uc_mcontext;
	unsigned long uc_sigmask;
};

struct rt_sigframe {
	unsigned long pretcode; /* the restorer: what the handler returns to */
	struct ucontext uc;
	struct siginfo info;
};

_Static_assert(sizeof(struct sigcontext) == 256, "sigcontext is 256 bytes");
_Static_assert(__builtin_offsetof(struct ucontext, uc_sigmask) == 296, "uc_sigmask");
_Static_assert(sizeof(struct rt_sigframe) == 440, "rt_sigframe is 440 bytes");

#endif
