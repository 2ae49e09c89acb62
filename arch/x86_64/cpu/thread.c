// SPDX-License-Identifier: MIT
/*
 * A task's machine state: made for a kernel thread, fork and exec; saved and loaded on a switch.
 *
 * FS and GS bases: with FSGSBASE a program changes them without the kernel, so they are read back
 * on a switch; without, only arch_prctl() and clone() change them and the copy in struct
 * arch_thread is right. Segment selectors are neither saved nor loaded: 64-bit code has no use for
 * them.
 */
#include <arch/cpu.h>
#include <arch/cpufeature.h>
#include <arch/fpu.h>
#include <arch/gdt.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <kern/atomic.h>
#include <kern/string.h>
#include <kernel/syscall.h>
#include <kernel/task.h>

#define HWCAP2_FSGSBASE (1UL << 1)

/* arch_prctl(2) */
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

/* What switch_stacks() leaves on a stack. */
struct switch_frame {
	u64 r15, r14, r13, r12, rbx, rbp;
	u64 rip;
};

/* switch.asm */
void switch_stacks(unsigned long *prev_rsp, unsigned long next_rsp);
void thread_start_kernel(void);
void thread_start_user(void);

static unsigned long read_fs_base(const struct arch_thread *t)
{
	unsigned long base;

	if (!cpu_features.fsgsbase)
		return t->fs_base;
	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

/* While in the kernel, the user's GS base waits in the MSR that SWAPGS exchanges. */
static unsigned long read_gs_base(const struct arch_thread *t)
{
	return cpu_features.fsgsbase ? rdmsr(MSR_KERNEL_GS_BASE) : t->gs_base;
}

static void load_fs_base(const struct arch_thread *t)
{
	if (cpu_features.fsgsbase)
		__asm__ volatile("wrfsbase %0" : : "r"(t->fs_base));
	else
		wrmsr(MSR_FS_BASE, t->fs_base);
}

static void load_gs_base(const struct arch_thread *t)
{
	wrmsr(MSR_KERNEL_GS_BASE, t->gs_base);
}

static void load_bases(const struct arch_thread *t)
{
	load_fs_base(t);
	load_gs_base(t);
}

/* ---- new tasks ---- */

static void set_start(struct arch_thread *t, void (*start)(void), u64 r12, u64 r13)
{
	struct switch_frame *f = (struct switch_frame *)task_trap_frame(t) - 1;

	*f = (struct switch_frame){ .r12 = r12, .r13 = r13, .rip = (u64)start };
	t->rsp = (unsigned long)f;
}

void arch_thread_init_kernel(struct arch_thread *t, void (*fn)(void *), void *arg)
{
	memset(task_trap_frame(t), 0, sizeof(struct trap_frame));
	t->fs_base = 0;
	t->gs_base = 0;
	t->fpu = NULL;
	set_start(t, thread_start_kernel, (u64)fn, (u64)arg);
}

int arch_thread_fork(struct arch_thread *child, const struct arch_thread *parent,
		     const struct trap_frame *tf)
{
	struct trap_frame *regs = task_trap_frame(child);

	child->fpu = fpu_alloc();
	if (!child->fpu)
		return -ENOMEM;
	fpu_snapshot(child->fpu);
	child->fs_base = read_fs_base(parent);
	child->gs_base = read_gs_base(parent);
	*regs = *tf;
	regs->rax = 0;
	set_start(child, thread_start_user, 0, 0);
	return 0;
}

int arch_thread_exec(struct arch_thread *t, unsigned long rip, unsigned long rsp)
{
	struct trap_frame *tf = task_trap_frame(t);
	irqflags_t flags;

	if (!t->fpu) {
		t->fpu = fpu_alloc();
		if (!t->fpu)
			return -ENOMEM;
	}
	*tf = (struct trap_frame){
		.orig_rax = -1UL,
		.rip = rip,
		.cs = USER_CS,
		.rflags = RFLAGS_IF,
		.rsp = rsp,
		.ss = USER_DS,
	};
	flags = irq_save();
	t->fs_base = 0;
	t->gs_base = 0;
	load_bases(t);
	fpu_reset(t->fpu);
	irq_restore(flags);
	arch_force_full_restore();
	return 0;
}

void arch_thread_free(struct arch_thread *t)
{
	fpu_free(t->fpu);
	t->fpu = NULL;
	if (t->kstack_top)
		kstack_free(t->kstack_top);
	t->kstack_top = 0;
}

void arch_force_full_restore(void)
{
	__atomic_or_fetch(&current->work, TASK_WORK_FULL_RESTORE, __ATOMIC_RELAXED);
}

/* ---- switching ---- */

void arch_switch_to(struct task *prev __maybe_unused, struct arch_thread *prev_thread,
		    struct task *next, struct arch_thread *next_thread)
{
	struct cpu *c = this_cpu();

	if (prev_thread->fpu) {
		fpu_save(prev_thread->fpu);
		prev_thread->fs_base = read_fs_base(prev_thread);
		prev_thread->gs_base = read_gs_base(prev_thread);
	}
	c->current_task = next;
	c->kstack_top = next_thread->kstack_top;
	c->tss->rsp[0] = next_thread->kstack_top;
	if (next_thread->fpu) {
		fpu_load(next_thread->fpu);
		load_fs_base(next_thread);
		/* Mostly 0 for all: a comparison costs less than WRMSR. */
		if (!prev_thread->fpu || prev_thread->gs_base != next_thread->gs_base)
			load_gs_base(next_thread);
	}
	switch_stacks(&prev_thread->rsp, next_thread->rsp);
}

/* ---- what programs ask for ---- */

unsigned long arch_elf_hwcap(void)
{
	return cpu_features.hwcap;
}

unsigned long arch_elf_hwcap2(void)
{
	return cpu_features.fsgsbase ? HWCAP2_FSGSBASE : 0;
}

static long set_base(unsigned long *copy, unsigned long addr)
{
	irqflags_t flags;

	if (addr >= TASK_SIZE)
		return -EPERM;
	flags = irq_save();
	current->thread.fs_base = read_fs_base(&current->thread);
	current->thread.gs_base = read_gs_base(&current->thread);
	*copy = addr;
	load_bases(&current->thread);
	irq_restore(flags);
	return 0;
}

SYSCALL_DEFINE2(arch_prctl, int, option, unsigned long, addr)
{
	struct arch_thread *t = &current->thread;
	void __user *p = (void __user *)addr;

	switch (option) {
	case ARCH_SET_FS:
		return set_base(&t->fs_base, addr);
	case ARCH_SET_GS:
		return set_base(&t->gs_base, addr);
	case ARCH_GET_FS:
		return put_user_u64(read_fs_base(t), p);
	case ARCH_GET_GS:
		return put_user_u64(read_gs_base(t), p);
	default:
		return -EINVAL;
	}
}
