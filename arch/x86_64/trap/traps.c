// SPDX-License-Identifier: MIT
/*
 * Exceptions other than page faults become the signals Linux sends for them; interrupts go to their
 * handlers; and every return to user mode that has something to do first passes through here.
 */
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/gdt.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/irq_stat.h>
#include <arch/memory.h>
#include <arch/setup.h>
#include <arch/smp.h>
#include <arch/text_poke.h>
#include <arch/trap.h>
#include <kernel/panic.h>
#include <kernel/signal.h>
#include <kernel/task.h>

/* The flags a program may have: CF PF AF ZF SF TF DF OF NT RF AC ID. */
#define RFLAGS_USER 0x254dd5UL
#define RFLAGS_FIXED 0x2UL

static const char *const trap_names[32] = {
	[TRAP_DE] = "divide error",
	[TRAP_DB] = "debug",
	[TRAP_NMI] = "NMI",
	[TRAP_BP] = "int3",
	[TRAP_OF] = "overflow",
	[TRAP_BR] = "bounds",
	[TRAP_UD] = "invalid opcode",
	[TRAP_NM] = "device not available",
	[TRAP_DF] = "double fault",
	[TRAP_TS] = "invalid TSS",
	[TRAP_NP] = "segment not present",
	[TRAP_SS] = "stack segment",
	[TRAP_GP] = "general protection fault",
	[TRAP_MF] = "x87 error",
	[TRAP_AC] = "alignment check",
	[TRAP_MC] = "machine check",
	[TRAP_XM] = "SIMD error",
};

static const char *trap_name(unsigned long vector)
{
	return vector < ARRAY_SIZE(trap_names) && trap_names[vector] ? trap_names[vector]
								     : "unknown trap";
}

/* SDM vol. 3B, 18.2.3. Bit 14: single step. The register keeps its bits until cleared. */
static int debug_code(void)
{
	unsigned long dr6;

	__asm__ volatile("movq %%dr6, %0" : "=r"(dr6));
	__asm__ volatile("movq %0, %%dr6" : : "r"(0xffff0ff0UL));
	if (dr6 & (1UL << 14))
		return TRAP_TRACE;
	return dr6 & 0xf ? TRAP_HWBKPT : TRAP_BRKPT;
}

/* The first unmasked exception flag, in the order of Linux; 0: none, nothing to report. */
static int fpe_code(unsigned long raised)
{
	if (raised & 0x01)
		return FPE_FLTINV;
	if (raised & 0x04)
		return FPE_FLTDIV;
	if (raised & 0x08)
		return FPE_FLTOVF;
	if (raised & 0x12) /* underflow, denormal */
		return FPE_FLTUND;
	return raised & 0x20 ? FPE_FLTRES : 0;
}

static int x87_code(void)
{
	u16 cw, sw;

	__asm__ volatile("fnstcw %0" : "=m"(cw));
	__asm__ volatile("fnstsw %0" : "=m"(sw));
	return fpe_code(sw & ~cw & 0x3fu);
}

static int simd_code(void)
{
	u32 mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return fpe_code(mxcsr & ~(mxcsr >> 7) & 0x3fu);
}

/* SI_KERNEL goes with address 0. Interrupts on. */
static void user_trap(unsigned long vector, struct trap_frame *tf)
{
	unsigned long err = tf->orig_rax == -1UL ? 0 : tf->orig_rax;
	int code;

	switch (vector) {
	case TRAP_DE:
		force_signal_fault(SIGFPE, FPE_INTDIV, tf->rip, vector, err);
		break;
	case TRAP_BP:
		force_signal_fault(SIGTRAP, SI_KERNEL, 0, vector, err);
		break;
	case TRAP_UD:
		force_signal_fault(SIGILL, ILL_ILLOPN, tf->rip, vector, err);
		break;
	case TRAP_NP:
	case TRAP_SS:
		force_signal_fault(SIGBUS, SI_KERNEL, 0, vector, err);
		break;
	case TRAP_AC:
		force_signal_fault(SIGBUS, BUS_ADRALN, 0, vector, err);
		break;
	case TRAP_MF:
	case TRAP_XM:
		code = vector == TRAP_MF ? x87_code() : simd_code();
		if (code)
			force_signal_fault(SIGFPE, code, tf->rip, vector, err);
		break;
	default: /* #GP, #OF, #BR, #TS and whatever else a program can cause */
		force_signal_fault(SIGSEGV, SI_KERNEL, 0, vector, err);
		break;
	}
}

static void __noreturn __cold double_fault(struct trap_frame *tf)
{
	unsigned long addr = read_cr2();

	if (kstack_is_guard(addr))
		panic_trap(tf, "BUG: kernel stack overflow, address %lx", addr);
	panic_trap(tf, "BUG: double fault");
}

static void exception(unsigned long vector, struct trap_frame *tf)
{
	bool user = trap_from_user(tf);

	if (vector == TRAP_NMI) {
		if (panic_in_progress())
			arch_halt();
		emergency_printf("NMI\n");
	} else if (vector == TRAP_DF) {
		double_fault(tf);
	} else if (vector == TRAP_MC) {
		panic_trap(tf, "machine check");
	} else if (vector == TRAP_DB) {
		int code = debug_code();

		if (user)
			force_signal_fault(SIGTRAP, code, tf->rip, vector, 0);
	} else if (user) {
		irq_enable();
		user_trap(vector, tf);
	} else if (!(vector == TRAP_BP && static_branch_trap(tf)) && !extable_fixup(tf)) {
		panic_trap(tf, "BUG: %s in the kernel (error code %lx)", trap_name(vector),
			   tf->orig_rax);
	}
}

static void interrupt(unsigned long vector, struct trap_frame *tf)
{
	struct cpu *c = this_cpu();

	c->irq_depth++;
	if (vector == VECTOR_TIMER) {
		irq_count(IRQ_TIMER);
		clock_interrupt(trap_from_user(tf));
	} else if (vector == VECTOR_CALL) {
		irq_count(IRQ_CALL);
		lapic_eoi();
		smp_call_interrupt();
	} else if (vector < VECTOR_PIC + 16) {
		irq_interrupt((unsigned int)(vector - VECTOR_PIC));
	} else if (vector >= VECTOR_MSI && vector < VECTOR_MSI + NR_MSI) {
		msi_interrupt((unsigned int)(vector - VECTOR_MSI));
	} else if (vector == VECTOR_SPURIOUS) {
		irq_count(IRQ_SPURIOUS);
	} else {
		if (vector == VECTOR_RESCHEDULE)
			irq_count(IRQ_RESCHEDULE);
		lapic_eoi();
	}
	c->irq_depth--;
}

void trap_dispatch(unsigned long vector, struct trap_frame *tf)
{
	if (vector < VECTOR_PIC)
		exception(vector, tf);
	else
		interrupt(vector, tf);
}

/*
 * IRETQ faults in the kernel on an address that is not canonical, so that is turned into the #GP
 * which the jump itself would have been: false. The rest of the frame becomes what a program may
 * have.
 */
static bool check_user_frame(struct trap_frame *tf)
{
	tf->cs = USER_CS;
	tf->ss = USER_DS;
	tf->rflags = (tf->rflags & RFLAGS_USER) | RFLAGS_FIXED | RFLAGS_IF;
	if (likely((long)(tf->rip << 16) >> 16 == (long)tf->rip))
		return true;
	force_signal_fault(SIGSEGV, SI_KERNEL, 0, TRAP_GP, 0);
	return false;
}

/* Whoever changes the frame by more than a restart's step back sets TASK_WORK_FULL_RESTORE. */
void exit_to_user_work(struct trap_frame *tf)
{
	struct task *t = current;

	for (;;) {
		unsigned long work = READ_ONCE(t->work);

		if (cpu_need_resched()) {
			irq_enable();
			schedule();
			irq_disable();
		} else if (work & TASK_WORK_SIGNAL) {
			irq_enable();
			handle_signals(tf);
			irq_disable();
		} else {
			if (!(work & TASK_WORK_FULL_RESTORE))
				return;
			task_clear_work(t, TASK_WORK_FULL_RESTORE);
			if (check_user_frame(tf))
				return;
		}
	}
}
