/* SPDX-License-Identifier: MIT
 *
 * What both parsers share: turning the firmware's memory map into boot_info.ram.
 */
#ifndef BOOT_MEMMAP_H
#define BOOT_MEMMAP_H

#include <arch/memory.h>
#include <kern/string.h>

#define E820_RAM 1 /* the types of ACPI 6.4, table 15.4: all others are not ours */

struct memmap {
	struct range_list ram;
};

/*
 * First all entries with pass 0, then all with pass 1: what is both usable and reserved is
 * reserved.
 */
static inline void memmap_entry(struct memmap *m, unsigned int pass, u64 base, u64 length, u32 type)
{
	u64 end = base + length < base ? ~0ULL : base + length;

	end = min(end, (u64)BOOT_RAM_LIMIT);
	if (pass == 0 && type == E820_RAM)
		range_add(&m->ram, base, end);
	else if (pass == 1 && type != E820_RAM)
		range_remove(&m->ram, base, end);
}

/* False when no RAM was found. */
static inline bool memmap_finish(struct memmap *m, struct boot_info *bi)
{
	range_trim_to_pages(&m->ram);
	bi->nr_ram = m->ram.nr;
	memcpy(bi->ram, m->ram.r, sizeof(bi->ram));
	return m->ram.nr > 0;
}

#endif
