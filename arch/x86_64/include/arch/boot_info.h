/* SPDX-License-Identifier: MIT
 *
 * What the loader told us, whichever loader it was (multiboot2 from GRUB, PVH from QEMU -kernel).
 * The parsers take untrusted bytes, check every length, and are fuzzed on the host.
 */
#ifndef ARCH_BOOT_INFO_H
#define ARCH_BOOT_INFO_H

#include <arch/madt.h>
#include <kern/types.h>

#define BOOT_MAX_RANGES 64
#define BOOT_CMDLINE_MAX 2048

struct boot_range {
	phys_t start, end; /* bytes, end exclusive */
};

struct boot_info {
	unsigned int nr_ram;
	struct boot_range
		ram[BOOT_MAX_RANGES]; /* usable RAM, sorted, disjoint, page-aligned inwards */
	struct boot_range initrd;     /* empty when start == end */
	char cmdline[BOOT_CMDLINE_MAX];
	phys_t rsdp;	 /* 0: search the BIOS areas */
	int madt_status; /* what madt_parse() returned */
	struct madt madt;
};

/*
 * Both: 0, or -EINVAL with *bi untouched. len is how much of data may be read, pa where it lies; *bi
 * may point into it. The MADT is not looked for.
 */
int multiboot2_parse(const void *data, phys_t pa, size_t len, struct boot_info *bi);
int pvh_parse(const void *start_info, const void *(*map)(phys_t pa, size_t len),
	      struct boot_info *bi);

#endif
