/* SPDX-License-Identifier: MIT
 *
 * The registers of an interrupted context, in the order the entry stubs push them (and in the order
 * of Linux's struct pt_regs). NASM offsets are pinned by static_assert in trap/idt.c.
 */
#ifndef ARCH_TRAP_FRAME_H
#define ARCH_TRAP_FRAME_H

#include <kern/types.h>

struct trap_frame {
	u64 r15, r14, r13, r12, rbp, rbx;
	u64 r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 orig_rax; /* system call number; -1 outside a system call; error code of a trap */
	u64 rip, cs, rflags, rsp, ss;
};

static inline bool trap_from_user(const struct trap_frame *tf)
{
	return (tf->cs & 3) == 3;
}

#endif
