// SPDX-License-Identifier: MIT
/*
 * The first C code: asks the loader's parser what the machine has, gives this CPU its struct cpu,
 * and enters the kernel proper.
 */
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/memory.h>
#include <arch/setup.h>
#include <kern/assert.h>
#include <kern/console.h>
#include <uapi/errno.h>

#define MULTIBOOT2_LOADER_MAGIC 0x36d76289u
#define BOOT_MAPPED (1UL << 32) /* what header.asm maps */

static struct boot_info boot_info;

static const void *boot_map(phys_t pa, size_t len)
{
	if (pa >= BOOT_MAPPED || len > BOOT_MAPPED - pa)
		return NULL;
	return phys_to_virt(pa);
}

/* An archive that is not entirely in RAM, or overlaps the kernel, is none. */
static void check_initrd(struct boot_info *bi)
{
	struct boot_range *rd = &bi->initrd;

	for (unsigned int i = 0; i < bi->nr_ram; i++) {
		if (rd->start < bi->ram[i].start || rd->end > bi->ram[i].end)
			continue;
		if (rd->end > (phys_t)__boot_start && rd->start < image_phys(__kernel_end))
			break;
		return;
	}
	rd->start = 0;
	rd->end = 0;
}

static bool is_ram(const struct boot_info *bi, phys_t pa)
{
	for (unsigned int i = 0; i < bi->nr_ram; i++)
		if (bi->ram[i].start <= pa && pa < bi->ram[i].end)
			return true;
	return false;
}

/* Registers that seem to lie in RAM are a damaged table: nobody may write there. */
static bool madt_is_possible(const struct boot_info *bi)
{
	const struct madt *m = &bi->madt;

	for (unsigned int i = 0; i < m->nr_ioapics; i++)
		if (is_ram(bi, m->ioapics[i].base))
			return false;
	return !m->lapic || !is_ram(bi, m->lapic);
}

static void find_madt(struct boot_info *bi)
{
	bi->madt_status = madt_parse(bi->rsdp, boot_map, &bi->madt);
	if (bi->madt_status == 0 && !madt_is_possible(bi)) {
		madt_none(&bi->madt);
		bi->madt_status = -EINVAL;
	}
}

void boot_main(u32 magic, u32 info)
{
	int err;

	wrmsr(MSR_GS_BASE, (u64)&cpus[0]);
	if (magic == MULTIBOOT2_LOADER_MAGIC)
		err = multiboot2_parse(phys_to_virt(info), info, BOOT_MAPPED - info, &boot_info);
	else
		err = pvh_parse(phys_to_virt(info), boot_map, &boot_info);
	if (err) {
		console_early_init();
		panic("the loader's boot information is unusable");
	}
	check_initrd(&boot_info);
	find_madt(&boot_info);
	kernel_main(&boot_info);
}
