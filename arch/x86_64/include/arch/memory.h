/* SPDX-License-Identifier: MIT
 *
 * The kernel's own address space while it is being made: ranges of RAM and the tables over them.
 */
#ifndef ARCH_MEMORY_H
#define ARCH_MEMORY_H

#include <arch/boot_info.h>
#include <arch/page.h>

/* RAM above is not used: its struct pages would not fit below 4 GiB, where they come from. */
#define BOOT_RAM_LIMIT (1UL << 37)

/* linker.ld. Those in the high half lie at KERNEL_BASE + physical; boot ones are physical. */
extern char __boot_start[], __boot_end[];
extern char __kernel_start[], __kernel_end[];
extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[];
extern char __bss_start[], __bss_end[];

static inline phys_t image_phys(const void *sym)
{
	return (unsigned long)sym - KERNEL_BASE;
}

/*
 * A sorted list of disjoint ranges. When it is full, range_add drops what it cannot hold and
 * range_remove the smaller part of what it splits: memory is lost, never used twice.
 */
struct range_list {
	unsigned int nr;
	struct boot_range r[BOOT_MAX_RANGES];
};

void range_add(struct range_list *l, phys_t start, phys_t end);
void range_remove(struct range_list *l, phys_t start, phys_t end);
/* Every range becomes whole pages, empty ones go. */
void range_trim_to_pages(struct range_list *l);
bool range_contains(const struct range_list *l, phys_t start, phys_t end);

/* boot/main.c, from header.asm: EAX and EBX as the loader left them. */
void boot_main(u32 magic, u32 info) __noreturn;

/* The lowest, unmapped page of the stack that the boot thread keeps. */
extern char boot_stack_guard[PAGE_SIZE];

/* A page for a boot table, zeroed. Panics when there is none. */
void *early_alloc_page(void);

/* The tables over the window of kernel stacks, in kernel_root: part of arch_memory_init(). */
void kstack_window_init(void);
/* The address lies in the guard below a kernel stack. */
bool kstack_is_guard(unsigned long va);

#endif
