// SPDX-License-Identifier: MIT
/*
 * Global descriptor table and task state segment, one of each a CPU. The order of the segments is
 * what SYSCALL and SYSRET compute from MSR_STAR. There is no 32-bit user segment: a far jump to one
 * ends in #GP, so programs never run in compatibility mode.
 */
#include <arch/cpu.h>
#include <arch/gdt.h>
#include <kern/assert.h>
#include <mm/page_alloc.h>

#define DESC_KERNEL_CODE 0x00af9b000000ffffUL
#define DESC_KERNEL_DATA 0x00cf93000000ffffUL
#define DESC_USER_CODE 0x00affb000000ffffUL
#define DESC_USER_DATA 0x00cff3000000ffffUL
#define DESC_TSS_TYPE 0x0000890000000000UL /* present, available 64-bit TSS */

struct cpu_segments {
	u64 gdt[10];
	struct tss tss;
} __aligned(256); /* a TSS must not cross a page */

struct gdt_pointer {
	u16 limit;
	u64 base;
} __packed;

/* An interrupt stack ends with a pointer to its CPU, for handlers that cannot trust GS. */
struct ist_stack {
	u8 space[IST_STACK_SIZE - 16];
	struct cpu *cpu;
	u64 unused;
} __aligned(16);

static struct cpu_segments segments[MAX_CPUS];
static struct ist_stack boot_cpu_stacks[NR_IST];
static struct ist_stack *stacks[MAX_CPUS][NR_IST] = {
	[0] = { &boot_cpu_stacks[0], &boot_cpu_stacks[1], &boot_cpu_stacks[2] },
};

static void set_tss_descriptor(u64 *desc, const struct tss *tss)
{
	u64 base = (u64)tss;

	desc[0] = (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | DESC_TSS_TYPE |
		  (base >> 24 & 0xff) << 56;
	desc[1] = base >> 32;
}

bool gdt_alloc_stacks(unsigned int cpu)
{
	unsigned int order = (unsigned int)__builtin_ctzl(IST_STACK_SIZE / PAGE_SIZE);

	for (unsigned int i = 0; i < NR_IST; i++) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);

		if (!page) {
			while (i-- > 0)
				free_pages(virt_to_page(stacks[cpu][i]), order);
			return false;
		}
		stacks[cpu][i] = page_address(page);
	}
	return true;
}

void gdt_init(void)
{
	struct cpu *c = this_cpu();
	struct cpu_segments *s = &segments[c->id];
	struct gdt_pointer p = { sizeof(s->gdt) - 1, (u64)s->gdt };

	s->gdt[KERNEL_CS / 8] = DESC_KERNEL_CODE;
	s->gdt[KERNEL_DS / 8] = DESC_KERNEL_DATA;
	s->gdt[USER_DS / 8] = DESC_USER_DATA;
	s->gdt[USER_CS / 8] = DESC_USER_CODE;
	set_tss_descriptor(&s->gdt[TSS_SELECTOR / 8], &s->tss);
	s->tss.iomap_base = sizeof(s->tss);
	for (unsigned int i = 0; i < NR_IST; i++) {
		stacks[c->id][i]->cpu = c;
		s->tss.ist[i] = (u64)&stacks[c->id][i]->cpu;
	}
	c->tss = &s->tss;

	__asm__ volatile("lgdt %0" : : "m"(p));
	__asm__ volatile("pushq %0\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:"
			 :
			 : "i"(KERNEL_CS)
			 : "rax", "memory");
	__asm__ volatile("movl %0, %%ss\n\tmovl %0, %%ds\n\tmovl %0, %%es" : : "r"(KERNEL_DS));
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}
