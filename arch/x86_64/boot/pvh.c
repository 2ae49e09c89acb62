// SPDX-License-Identifier: MIT
/*
 * PVH boot information: Xen's struct hvm_start_info (public/arch-x86/hvm/start_info.h), which
 * points to further tables by physical address. map() decides what may be read.
 */
#include "memmap.h"
#include <uapi/errno.h>

#define HVM_START_MAGIC 0x336ec578
#define MAX_MAP_ENTRIES 4096

struct hvm_start_info {
	u32 magic, version;
	u32 flags, nr_modules;
	u64 modlist, cmdline, rsdp;
	/* version 1 and later */
	u64 memmap;
	u32 memmap_entries, reserved;
};

struct hvm_module {
	u64 paddr, size, cmdline, reserved;
};

struct hvm_memmap_entry {
	u64 addr, size;
	u32 type, reserved;
};

typedef const void *(*map_fn)(phys_t pa, size_t len);

static bool read_cmdline(u64 pa, map_fn map, struct boot_info *bi)
{
	size_t n = 0;

	if (!pa)
		return true;
	while (n < sizeof(bi->cmdline)) {
		const char *c = pa + n < pa ? NULL : map(pa + n, 1);

		if (!c)
			return false;
		bi->cmdline[n] = *c;
		if (!*c)
			return true;
		n++;
	}
	return false;
}

static bool read_module(const struct hvm_start_info *si, map_fn map, struct boot_info *bi)
{
	struct hvm_module m;
	const void *p;

	if (!si->nr_modules)
		return true;
	p = map(si->modlist, sizeof(m));
	if (!p)
		return false;
	memcpy(&m, p, sizeof(m));
	if (m.paddr + m.size < m.paddr)
		return false;
	bi->initrd = (struct boot_range){ m.paddr, m.paddr + m.size };
	return true;
}

static bool read_memmap(const struct hvm_start_info *si, map_fn map, struct boot_info *bi)
{
	struct memmap list = { .ram.nr = 0 };
	const u8 *p;

	if (!si->memmap_entries || si->memmap_entries > MAX_MAP_ENTRIES)
		return false;
	p = map(si->memmap, si->memmap_entries * sizeof(struct hvm_memmap_entry));
	if (!p)
		return false;
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (u32 i = 0; i < si->memmap_entries; i++) {
			struct hvm_memmap_entry e;

			memcpy(&e, p + i * sizeof(e), sizeof(e));
			memmap_entry(&list, pass, e.addr, e.size, e.type);
		}
	}
	return memmap_finish(&list, bi);
}

int pvh_parse(const void *start_info, map_fn map, struct boot_info *bi)
{
	struct boot_info out = { .nr_ram = 0 };
	struct hvm_start_info si;

	memcpy(&si, start_info, offsetof(struct hvm_start_info, memmap));
	if (si.magic != HVM_START_MAGIC || si.version < 1)
		return -EINVAL;
	memcpy(&si, start_info, sizeof(si));
	if (!read_cmdline(si.cmdline, map, &out) || !read_module(&si, map, &out) ||
	    !read_memmap(&si, map, &out))
		return -EINVAL;
	out.rsdp = si.rsdp;
	*bi = out;
	return 0;
}
