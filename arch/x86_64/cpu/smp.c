// SPDX-License-Identifier: MIT
/*
 * Starting the other CPUs (SDM vol. 3A, 9.4.4, and the MultiProcessor Specification 1.4, B.4): INIT,
 * then start-up IPIs that name the page of boot/trampoline.asm. One after the other, because they
 * share that page. When a CPU does not come, it and those after it are
 * left out, and that is said.
 */
#include <arch/apic.h>
#include <arch/boot_info.h>
#include <arch/cpu.h>
#include <arch/cpufeature.h>
#include <arch/fpu.h>
#include <arch/gdt.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/kernel_map.h>
#include <arch/setup.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <kern/assert.h>
#include <kern/atomic.h>
#include <kern/knobs.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <kernel/task.h>
#include <mm/page_alloc.h>

#define LOW_MEMORY_END 0xa0000UL
#define MS 1000000UL /* ns */
#define INIT_WAIT (10 * MS)
#define STARTUP_WAIT (2 * MS)
#define ANSWER_WAIT (1000 * MS)

/* boot/trampoline.asm: the code, and the blanks in it. */
extern const u8 trampoline_start[], trampoline_end[], trampoline_gdt[], trampoline_long_mode[];
extern const u8 trampoline_args[];

struct trampoline_args {
	u64 stack;
	u64 cpu;   /* struct cpu * */
	u64 entry; /* ap_start() */
	u32 page_table;
	u32 long_mode;
	u16 code_segment;
	u16 gdt_limit;
	u32 gdt;
} __packed;

u64 cpus_online = 1;

/* The trampoline at its physical address, for the time while CPUs start. */
struct identity_map {
	struct page *pud, *pmd, *pte;
};

static void unmap_identity(struct identity_map *m)
{
	kernel_root[0] = 0;
	irq_enable();
	tlb_flush_kernel_range(0, LOW_MEMORY_END);
	irq_disable();
	if (m->pud)
		free_pages(m->pud, 0);
	if (m->pmd)
		free_pages(m->pmd, 0);
	if (m->pte)
		free_pages(m->pte, 0);
}

static pte_t table_entry(const struct page *table)
{
	return page_to_phys(table) | PTE_P | PTE_W | PTE_A;
}

static bool map_identity(struct identity_map *m, phys_t pa)
{
	m->pud = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
	m->pmd = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
	m->pte = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
	if (!m->pud || !m->pmd || !m->pte) {
		unmap_identity(m);
		return false;
	}
	((pte_t *)page_address(m->pte))[pa >> PAGE_SHIFT] = pa | PTE_P | PTE_A;
	((pte_t *)page_address(m->pmd))[0] = table_entry(m->pte);
	((pte_t *)page_address(m->pud))[0] = table_entry(m->pmd);
	kernel_root[0] = table_entry(m->pud);
	return true;
}

/* A page of RAM below 1 MiB, none of which is ever given to an allocator; 0 when there is none. */
static phys_t find_low_page(const struct boot_info *bi)
{
	for (unsigned int i = 0; i < bi->nr_ram; i++) {
		phys_t page = max(bi->ram[i].start, PAGE_SIZE);

		if (page + PAGE_SIZE <= min(bi->ram[i].end, LOW_MEMORY_END))
			return page;
	}
	return 0;
}

/* ---- on the CPU that starts ---- */

static void ap_start(struct cpu *c)
{
	wrmsr(MSR_GS_BASE, (u64)c);
	gdt_init();
	idt_load();
	cpu_control_init();
	fpu_cpu_init();
	syscall_init();
	lapic_init();
	__atomic_or_fetch(&cpus_online, 1ULL << c->id, __ATOMIC_SEQ_CST);
	secondary_main();
}

/* ---- on the boot CPU ---- */

static void wait_ns(u64 ns)
{
	u64 end = clock_ns() + ns;

	while (clock_ns() < end)
		cpu_relax();
}

static bool wait_online(unsigned int cpu, u64 ns)
{
	u64 end = clock_ns() + ns;

	while (!cpu_is_online(cpu)) {
		if (clock_ns() >= end)
			return false;
		cpu_relax();
	}
	return true;
}

static void fill_trampoline(phys_t page, struct cpu *c)
{
	u8 *code = phys_to_virt(page);
	struct trampoline_args *args = (void *)(code + (trampoline_args - trampoline_start));

	memcpy(code, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	args->stack = c->kstack_top;
	args->cpu = (u64)c;
	args->entry = (u64)ap_start;
	args->page_table = (u32)kernel_pgd();
	args->long_mode = (u32)(page + (phys_t)(trampoline_long_mode - trampoline_start));
	args->gdt = (u32)(page + (phys_t)(trampoline_gdt - trampoline_start));
}

static bool start_cpu(unsigned int cpu, unsigned int apic_id, phys_t page)
{
	struct cpu *c = &cpus[cpu];
	struct task *idle = gdt_alloc_stacks(cpu) ? idle_task_create(cpu) : NULL;

	if (!idle) {
		pr_err("smp: no memory to start CPU %u", cpu);
		return false;
	}
	c->self = c;
	c->id = cpu;
	c->apic_id = apic_id;
	c->current_task = idle;
	c->kstack_top = idle->thread.kstack_top;
	fill_trampoline(page, c);

	lapic_send(apic_id, IPI_INIT);
	wait_ns(INIT_WAIT);
	lapic_send(apic_id, IPI_STARTUP | (u32)(page >> PAGE_SHIFT));
	if (wait_online(cpu, STARTUP_WAIT))
		return true;
	lapic_send(apic_id, IPI_STARTUP | (u32)(page >> PAGE_SHIFT));
	if (wait_online(cpu, ANSWER_WAIT))
		return true;
	pr_err("smp: CPU %u (APIC %u) does not answer", cpu, apic_id);
	return false;
}

/*
 * APIC ids beyond a byte need x2APIC mode, and 255 means all. Where instructions are counted, the CPUs in between are
 * not to be used: tools/vm.py says why.
 */
static bool usable(u32 apic_id)
{
	return apic_id < 255 && apic_id != cpus[0].apic_id && apic_id % knob_smp_stride == 0;
}

void smp_init(const struct boot_info *bi)
{
	struct identity_map map = { 0 };
	phys_t page = find_low_page(bi);
	unsigned int cpu = 1;
	bool all = true;

	if (bi->madt.nr_cpus <= 1)
		return;
	if (!page || !map_identity(&map, page)) {
		pr_err("smp: no memory below 1 MiB to start other CPUs from");
		return;
	}
	for (unsigned int i = 0; i < bi->madt.nr_cpus && cpu < MAX_CPUS && all; i++)
		if (usable(bi->madt.apic_ids[i])) {
			all = start_cpu(cpu, bi->madt.apic_ids[i], page);
			cpu += all;
		}
	/* One that was silent may still come: it finds the page, its mapping and its stack as they were. */
	if (all)
		unmap_identity(&map);
	pr_info("smp: %u CPUs", cpu);
}
