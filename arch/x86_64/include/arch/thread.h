/* SPDX-License-Identifier: MIT
 *
 * What the machine keeps for a task: kernel stack, saved stack pointer, TLS bases, FPU state.
 */
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H

#include <arch/trap_frame.h>
#include <kern/types.h>

#define KSTACK_SIZE 16384UL

struct fpu_state; /* XSAVE area, 64-byte aligned, size from CPUID */
struct task;
struct mm;

struct arch_thread {
	unsigned long rsp;	  /* kernel stack pointer while switched out */
	unsigned long kstack_top; /* [I] */
	unsigned long fs_base;	  /* user TLS */
	unsigned long gs_base;	  /* user GS */
	struct fpu_state *fpu;	  /* NULL for kernel tasks */
};

/* A guarded kernel stack; returns its top, or 0 when memory ran out. Freed stacks are cached. */
unsigned long kstack_alloc(void);
void kstack_free(unsigned long top);
/* Gives cached stacks back to the buddy allocator (drop_caches, leak checks). */
void kstack_drain(void);

/* The user registers of a task: they lie at the top of its kernel stack. */
static inline struct trap_frame *task_trap_frame(const struct arch_thread *t)
{
	return (struct trap_frame *)(t->kstack_top - sizeof(struct trap_frame));
}

/*
 * A kernel thread: the first switch to it calls fn(arg) with interrupts on; fn must not return.
 * kstack_top must be set.
 */
void arch_thread_init_kernel(struct arch_thread *t, void (*fn)(void *), void *arg);
/*
 * A user task: the first switch to it calls schedule_tail() and returns to user mode with a copy of
 * *tf, rax 0. The child gets the caller's current FPU state, FS and GS. 0 or -ENOMEM.
 */
int __must_check arch_thread_fork(struct arch_thread *child, const struct arch_thread *parent,
				  const struct trap_frame *tf);
/*
 * Fresh user registers for execve: all zero but rip and rsp; FPU reset; TLS bases 0. 0 or -ENOMEM.
 */
int __must_check arch_thread_exec(struct arch_thread *t, unsigned long rip, unsigned long rsp);
void arch_thread_free(struct arch_thread *t); /* FPU area and kernel stack */

/* Leaves the kernel for the registers in the caller's trap frame: pid 1's first program. */
void arch_enter_user(void) __noreturn;
/* AT_HWCAP and AT_HWCAP2 of the auxiliary vector. */
unsigned long arch_elf_hwcap(void);
unsigned long arch_elf_hwcap2(void);

/*
 * Saves prev's machine state and continues next. Returns in prev's context, later. Interrupts off.
 */
void arch_switch_to(struct task *prev, struct arch_thread *prev_thread, struct task *next,
		    struct arch_thread *next_thread);
/* Loads the address space (NULL: the kernel's own). Interrupts off. */
void arch_switch_mm(struct mm *next);
/* Keeps what is loaded, but nothing will use it until arch_switch_mm(). Interrupts off. */
void arch_leave_mm_lazy(void);

/* FPU state to and from a signal frame's buffer (user address, 64-byte aligned). 0 or -EFAULT. */
size_t fpu_frame_size(void);
int __must_check fpu_save_user(void __user *buf);
int __must_check fpu_restore_user(const void __user *buf);

/*
 * The system calls return through the full-restore path (all registers from the trap frame, IRETQ).
 */
void arch_force_full_restore(void);

#endif
