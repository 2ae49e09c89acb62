// SPDX-License-Identifier: MIT
/*
 * Page faults: asks mm/fault.c what the fault that the CPU reports means, and turns the answer into resumption, a signal,
 * the exception table or a panic. Nothing here looks at a mapping.
 */
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/memory.h>
#include <arch/trap.h>
#include <kern/printk.h>
#include <kern/trace.h>
#include <kernel/panic.h>
#include <kernel/signal.h>
#include <kernel/task.h>
#include <mm/fault.h>
#include <mm/page_alloc.h>

_Static_assert(FAULT_WRITE == PF_WRITE && FAULT_EXEC == PF_INSN && FAULT_PRESENT == PF_PRESENT &&
		       FAULT_USER == PF_USER,
	       "FAULT_* are not PF_*");

/* What mm_handle_fault() knows. The CPU never sets both PF_WRITE and PF_INSN. */
#define PF_KNOWN (PF_PRESENT | PF_WRITE | PF_USER | PF_INSN)

/* The program's access did not go through. */
static __noinline void user_fault_failed(unsigned long addr, unsigned long err,
					 enum fault_result result)
{
	switch (result) {
	case FAULT_MAPERR:
		force_signal_fault(SIGSEGV, SEGV_MAPERR, addr, TRAP_PF, err);
		break;
	case FAULT_ACCERR:
		force_signal_fault(SIGSEGV, SEGV_ACCERR, addr, TRAP_PF, err);
		break;
	case FAULT_BUS:
		force_signal_fault(SIGBUS, BUS_ADRERR, addr, TRAP_PF, err);
		break;
	case FAULT_OOM: /* it is the victim, or an allocation failed on demand, or there is nobody else to kill */
		if (fatal_signal_pending(current) || nr_free_pages() > watermark_pages(WMARK_LOW))
			break;
		pr_err("Out of memory: Killed process %d (%s)", current->process->pid,
		       current->comm);
		(void)send_signal_process(current->process, SIGKILL, NULL);
		break;
	case FAULT_KILLED: /* the signal is pending and is looked at on the way out */
	case FAULT_DONE:
	case FAULT_RETRY:
	case FAULT_WAIT:
		break;
	}
}

/* Not the program's half: says nothing about what is mapped there. */
static __noinline void user_fault_outside(struct trap_frame *tf, unsigned long addr,
					  unsigned long err)
{
	if (err & PF_RSVD)
		panic_trap(tf, "BUG: reserved bit set in the page tables of %s at %lx",
			   current->comm, addr);
	force_signal_fault(SIGSEGV, SEGV_MAPERR, addr, TRAP_PF, err | PF_PRESENT);
	trace(fault_exit, addr, FAULT_MAPERR);
}

void page_fault_user(struct trap_frame *tf)
{
	unsigned long addr = read_cr2();
	unsigned long err = tf->orig_rax;
	enum fault_result result;

	irq_enable();
	trace(page_fault_user, addr, tf->rip, err);
	if (unlikely(addr >= TASK_SIZE || (err & PF_RSVD))) {
		user_fault_outside(tf, addr, err);
		return;
	}
	result = mm_handle_fault(current->mm, addr, err & PF_KNOWN);
	trace(fault_exit, addr, result);
	if (unlikely(result != FAULT_DONE))
		user_fault_failed(addr, err, result);
}

static void __noreturn __cold kernel_fault_panic(struct trap_frame *tf, unsigned long addr,
						 unsigned long err)
{
	const char *what = err & PF_INSN ? "execute" : err & PF_WRITE ? "write" : "read";

	if (kstack_is_guard(addr))
		panic_trap(tf, "BUG: kernel stack overflow, address %lx", addr);
	if (addr < PAGE_SIZE)
		panic_trap(tf, "BUG: kernel NULL pointer dereference, address %lx", addr);
	panic_trap(tf, "BUG: kernel cannot %s address %lx (error code %lx)", what, addr, err);
}

/*
 * Only an instruction of the exception table may fault on user memory: then the ordinary handler
 * runs, and if it cannot help, the fixup. Looking at the table first keeps a kernel bug from
 * sleeping on a lock its own task holds.
 */
void page_fault_kernel(struct trap_frame *tf)
{
	unsigned long addr = read_cr2();
	unsigned long err = tf->orig_rax;
	struct mm *mm;

	if (addr >= TASK_SIZE || (err & (PF_INSN | PF_RSVD)) || !extable_covers(tf->rip))
		kernel_fault_panic(tf, addr, err);
	mm = current ? current->mm : NULL;
	if (mm && (tf->rflags & RFLAGS_IF)) {
		enum fault_result result;

		irq_enable();
		trace(page_fault_kernel, addr, tf->rip, err);
		result = mm_handle_fault(mm, addr, err & PF_KNOWN);
		trace(fault_exit, addr, result);
		irq_disable();
		if (result == FAULT_DONE)
			return;
	}
	extable_fixup(tf);
}
