/* SPDX-License-Identifier: MIT
 *
 * Part of the seam: a branch that is decided by the code itself. While its key is off it is one instruction that
 * does nothing and reads no memory; switching the key on makes it a jump (cpu/static_branch.c).
 * tests/host/include/arch/static_branch.h replaces this file on the host.
 */
#ifndef ARCH_STATIC_BRANCH_H
#define ARCH_STATIC_BRANCH_H

#include <kern/types.h>

/* A site, in section __static_branch (linker.ld); cpu/syscall.asm makes one, too. */
struct static_branch_site {
	unsigned long site, target; /* of the instruction; where it jumps while its key is on */
	unsigned long key;
};

/* key: a constant. */
static __always_inline bool static_branch(const unsigned int key)
{
	/* SDM vol. 2B, table 4-12: the NOP of five bytes. */
	__asm__ __inline__ goto("1: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
				".pushsection __static_branch, \"a\"\n"
				".balign 8\n"
				".quad 1b, %l[on], %c0\n"
				".popsection"
				:
				: "i"(key)
				:
				: on);
	return false;
on:
	return true;
}

/*
 * Calls trace_emit() with these arguments, for where such a branch goes. It changes no register (cpu/trace.asm saves
 * them all), so the ordinary path keeps its values where it likes: a call would cost it several instructions.
 */
static __always_inline void static_branch_trace(u64 event, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	__asm__ __volatile__ __inline__(
		"pushq %5; pushq %4; pushq %3; pushq %2; pushq %1; pushq %0\n"
		"call trace_emit_saving\n"
		"addq $48, %%rsp"
		:
		: "re"(event), "re"(a), "re"(b), "re"(c), "re"(d), "re"(e)
		: "cc");
}

/* Switches every site of the key, while any CPU may be running through it. May sleep; no spinlock held, interrupts on. */
void static_branch_set(unsigned int key, bool on);

#endif
