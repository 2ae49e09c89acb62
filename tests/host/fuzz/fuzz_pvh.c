/* SPDX-License-Identifier: MIT
 *
 * The PVH parser: its tables lie anywhere in a small physical memory, which is the input. The
 * resulting RAM is compared with the map entry by entry.
 */
#include "fuzz_boot.h"

static u8 *memory;
static size_t memory_size;

static const void *map(phys_t pa, size_t len)
{
	if (pa > memory_size || memory_size - pa < len)
		return NULL;
	return memory + pa;
}

struct start_info {
	u32 magic, version, flags, nr_modules;
	u64 modlist, cmdline, rsdp, memmap;
	u32 memmap_entries, reserved;
};

struct entry {
	u64 addr, size;
	u32 type, reserved;
};

/* No page of the result may lie in an entry that is no RAM, or outside every entry that is. */
static void check_against_map(const struct boot_info *bi, const struct start_info *si)
{
	for (unsigned int i = 0; i < bi->nr_ram; i++) {
		bool covered = false;

		for (u32 k = 0; k < si->memmap_entries; k++) {
			struct entry e;
			u64 end;

			memcpy(&e, memory + si->memmap + k * sizeof(e), sizeof(e));
			end = e.addr + e.size < e.addr ? ~0UL : e.addr + e.size;
			if (e.type == 1)
				covered |= e.addr <= bi->ram[i].start && bi->ram[i].start < end;
			else
				CHECK(e.addr >= end || e.addr >= bi->ram[i].end ||
				      end <= bi->ram[i].start);
		}
		CHECK(covered);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_info bi, untouched;
	struct start_info si;
	int err;

	if (size < sizeof(si))
		return 0;
	memory_size = size;
	memory = host_alloc(size);
	memcpy(memory, data, size);
	memcpy(&si, data, sizeof(si));
	/* Mostly plausible: the right magic, tables inside the memory. */
	if (si.flags % 8) {
		si.magic = 0x336ec578;
		si.version = 1;
		si.modlist %= size;
		si.cmdline %= size;
		si.memmap %= size;
		si.memmap_entries %= 80;
		memcpy(memory, &si, sizeof(si));
	}
	memset(&bi, 0x5a, sizeof(bi));
	untouched = bi;
	err = pvh_parse(memory, map, &bi);
	if (err) {
		CHECK(err == -EINVAL);
		CHECK(memcmp(&bi, &untouched, sizeof(bi)) == 0);
	} else {
		check_boot_info(&bi);
		check_against_map(&bi, &si);
	}
	host_free(memory);
	return 0;
}
