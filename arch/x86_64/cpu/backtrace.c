// SPDX-License-Identifier: MIT
/*
 * Where the kernel is: registers, and the chain of frame pointers with the names that
 * tools/ksyms.py put into the image. Everything is checked before it is followed: this runs when
 * something is already wrong.
 */
#include <arch/io.h>
#include <arch/memory.h>
#include <arch/setup.h>
#include <arch/thread.h>
#include <kernel/panic.h>

#define MAX_FRAMES 32

/*
 * The table of the second link; absent in the first. Offsets from __text_start, ascending; names in
 * the same order.
 */
extern const u32 ksyms_count __attribute__((weak));
extern const u32 ksyms_offsets[] __attribute__((weak));
extern const char ksyms_names[] __attribute__((weak));

static bool is_text(unsigned long addr)
{
	return addr >= (unsigned long)__text_start && addr < (unsigned long)__text_end;
}

/* The name of the function that contains addr, or NULL; *start is its first address. */
static const char *symbol_name(unsigned long addr, unsigned long *start)
{
	unsigned long offset = addr - (unsigned long)__text_start;
	const char *name = ksyms_names;
	u32 i = 0;

	if (!is_text(addr) || !&ksyms_count || !ksyms_count || ksyms_offsets[0] > offset)
		return NULL;
	while (i + 1 < ksyms_count && ksyms_offsets[i + 1] <= offset) {
		while (*name++)
			;
		i++;
	}
	*start = (unsigned long)__text_start + ksyms_offsets[i];
	return name;
}

/*
 * A return address may lie behind its function, after a call that does not return: insn is 1 less.
 */
static void show_address(unsigned long addr, unsigned long insn)
{
	unsigned long start = 0;
	const char *name = symbol_name(insn, &start);

	if (name)
		emergency_printf(" [<%016lx>] %s+0x%lx\n", addr, name, addr - start);
	else
		emergency_printf(" [<%016lx>]\n", addr);
}

/* The mapped stack that contains va: its end, or 0. */
static unsigned long stack_end(unsigned long va)
{
	if (kstack_is_guard(va))
		return 0;
	if (va >= KSTACK_BASE && va < VMEMMAP_BASE)
		return ALIGN_UP(va + 1, KSTACK_SIZE);
	if (va >= (unsigned long)boot_stack_guard + PAGE_SIZE && va < (unsigned long)__bss_end)
		return (unsigned long)__bss_end;
	return 0;
}

static void follow_frames(unsigned long rbp)
{
	unsigned long end = stack_end(rbp);

	for (unsigned int i = 0; i < MAX_FRAMES; i++) {
		const unsigned long *frame = (const unsigned long *)rbp;

		if (!end || rbp % 8 || rbp > end - 16 || !is_text(frame[1]))
			return;
		show_address(frame[1], frame[1] - 1);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}

const char *arch_symbol(unsigned long addr, unsigned long *offset)
{
	unsigned long start = addr;
	const char *name = symbol_name(addr, &start);

	*offset = addr - start;
	return name;
}

void arch_show_address(unsigned long addr)
{
	show_address(addr, addr - 1);
}

void arch_callers(unsigned long *ips, unsigned int n)
{
	unsigned long rbp = (unsigned long)__builtin_frame_address(0), end = stack_end(rbp);
	unsigned int i = 0;

	while (i < n && end && rbp % 8 == 0 && rbp <= end - 16) {
		const unsigned long *frame = (const unsigned long *)rbp;

		if (!is_text(frame[1]))
			break;
		ips[i++] = frame[1];
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
	while (i < n)
		ips[i++] = 0;
}

void arch_backtrace(const struct trap_frame *tf)
{
	emergency_printf("Call trace:\n");
	if (!tf) {
		follow_frames((unsigned long)__builtin_frame_address(0));
		return;
	}
	show_address(tf->rip, tf->rip);
	if (!trap_from_user(tf))
		follow_frames(tf->rbp);
}

void arch_show_registers(const struct trap_frame *tf)
{
	emergency_printf("RIP %04lx:%016lx RSP %04lx:%016lx RFLAGS %08lx error %lx\n", tf->cs,
			 tf->rip, tf->ss, tf->rsp, tf->rflags, tf->orig_rax);
	emergency_printf("RAX %016lx RBX %016lx RCX %016lx\n", tf->rax, tf->rbx, tf->rcx);
	emergency_printf("RDX %016lx RSI %016lx RDI %016lx\n", tf->rdx, tf->rsi, tf->rdi);
	emergency_printf("RBP %016lx R8  %016lx R9  %016lx\n", tf->rbp, tf->r8, tf->r9);
	emergency_printf("R10 %016lx R11 %016lx R12 %016lx\n", tf->r10, tf->r11, tf->r12);
	emergency_printf("R13 %016lx R14 %016lx R15 %016lx\n", tf->r13, tf->r14, tf->r15);
	emergency_printf("CR0 %08lx CR2 %016lx CR3 %08lx CR4 %08lx\n", read_cr0(), read_cr2(),
			 read_cr3(), read_cr4());
}
