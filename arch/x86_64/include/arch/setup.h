/* SPDX-License-Identifier: MIT
 *
 * What kernel/main.c asks of the machine while booting, in this order.
 */
#ifndef ARCH_SETUP_H
#define ARCH_SETUP_H

#include <arch/boot_info.h>
#include <arch/trap_frame.h>

/* GDT, IDT, TSS with its own double-fault stack, CR0/CR4/EFER bits, system-call MSRs, FPU, GS. */
void arch_cpu_init(void);
/*
 * Final kernel page tables (W^X), direct map, struct pages, and all free RAM to the buddy
 * allocator.
 */
void arch_memory_init(const struct boot_info *bi);
/* Interrupt controllers, the clock (calibrated TSC) and the timer. */
void arch_irq_init(const struct boot_info *bi);

/* Starts the other CPUs of the MADT; each ends in secondary_main(). Memory and time work. */
void smp_init(const struct boot_info *bi);
/* The system-call registers of the running CPU. */
void syscall_init(void);
/* kernel/main.c: entered by each of the others, interrupts off, on its idle task's stack. */
void secondary_main(void) __attribute__((noreturn));

/*
 * Routes an ISA interrupt line to fn, called with interrupts off on the boot CPU. name is for
 * /proc/interrupts. 0, -EBUSY, -EINVAL for no such line, -ENODEV when it ends nowhere.
 */
int irq_register(unsigned int isa_irq, const char *name, void (*fn)(void *arg), void *arg);

/*
 * A message-signalled interrupt: the device writes data to the physical address to have fn called, with
 * interrupts off on the boot CPU. name, which must stay valid, is for /proc/interrupts. 0 or -ENOSPC.
 */
#define NR_MSI 32
struct msi_message {
	u64 address;
	u32 data;
};
int msi_register(const char *name, void (*fn)(void *arg), void *arg, struct msi_message *msg);

/* kernel/main.c: entered once from arch boot code, interrupts off, on the boot stack. */
void kernel_main(const struct boot_info *bi) __attribute__((noreturn));

/* Prints a symbolised backtrace on the console; tf NULL: of the caller. */
void arch_backtrace(const struct trap_frame *tf);
/* The function that contains addr, and how far in; NULL when there is no name. */
const char *arch_symbol(unsigned long addr, unsigned long *offset);
/* One line of it, for the return address addr. */
void arch_show_address(unsigned long addr);
/* Up to n return addresses of the caller, innermost first; 0 behind the last. */
void arch_callers(unsigned long *ips, unsigned int n);
/* Prints tf and the control registers on the console. */
void arch_show_registers(const struct trap_frame *tf);
/* The caller's registers as a trap would have saved them. */
void arch_capture_registers(struct trap_frame *tf);
/* Makes all other CPUs stop, whatever they do: they enter panic_in_progress() through an NMI. */
void arch_stop_others(void);
/* This CPU does nothing any more. */
void arch_halt(void) __attribute__((noreturn));
/* Stops the machine for good; status goes to QEMU's debug-exit device when there is one. */
#define ARCH_STOP_OFF 0x10u
#define ARCH_STOP_PANIC 0x20u
void arch_stop(unsigned int status) __attribute__((noreturn));

/* The archive has been unpacked: its frames go to the buddy allocator. */
void arch_free_initrd(const struct boot_info *bi);
/* The frame has a struct page (frames in holes between RAM may have none). */
bool arch_pfn_valid(unsigned long pfn);
/* Bytes of kernel image, for "Memory:" in the log and /proc/meminfo. */
unsigned long arch_kernel_image_bytes(void);

#endif
