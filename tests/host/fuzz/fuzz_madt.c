/* SPDX-License-Identifier: MIT
 *
 * The ACPI parser: the input is a small physical memory, from address 0 or from where the BIOS areas
 * begin. Mostly its tables are made plausible first, signatures, places and checksums, so that what lies
 * behind the checksums is reached; lengths stay what the input says.
 */
#include "fuzz_boot.h"

static u8 *memory;
static size_t memory_size;
static phys_t memory_base;

static const void *map(phys_t pa, size_t len)
{
	if (pa < memory_base || pa - memory_base > memory_size ||
	    memory_size - (pa - memory_base) < len)
		return NULL;
	return memory + (pa - memory_base);
}

/* The checksum of [at, at + len), as much of it as there is. */
static void fix_sum(size_t at, size_t len, size_t sum_at)
{
	u8 sum = 0;

	if (at + sum_at >= memory_size)
		return;
	memory[at + sum_at] = 0;
	for (size_t i = at; i < memory_size && i - at < len; i++)
		sum = (u8)(sum + memory[i]);
	memory[at + sum_at] = (u8)-sum;
}

static void fix_table(size_t at, const char *signature)
{
	u32 len;

	if (memory_size - at < 36)
		return;
	memcpy(memory + at, signature, 4);
	memcpy(&len, memory + at + 4, sizeof(len));
	/* Else most lengths lie beyond the end. */
	if (len % 4)
		len = len % (u32)(memory_size - at + 8);
	memcpy(memory + at + 4, &len, sizeof(len));
	fix_sum(at, len, 9);
}

#define ROOT 40UL
#define ROOT_ENTRIES (ROOT + 36)
#define MADT 128UL

/* RSDP at 0, root table behind it, MADT behind that; how many entries the root has is the input's. */
static void make_plausible(void)
{
	bool wide = memory[15] >= 2;
	u64 root = memory_base + ROOT, madt = memory_base + MADT;

	memcpy(memory, "RSD PTR ", 8);
	memcpy(memory + 16, &root, 4);
	memcpy(memory + 24, &root, 8);
	if (memory[20] % 8) {
		memset(memory + 20, 0, 4);
		memory[20] = 36;
	}
	fix_sum(0, 20, 8);
	fix_sum(0, memory[20], 32);
	memcpy(memory + ROOT_ENTRIES, &madt, wide ? 8 : 4);
	fix_table(MADT, "APIC");
	fix_table(ROOT, wide ? "XSDT" : "RSDT");
}

static void check_none(const struct madt *m)
{
	struct madt none;

	madt_none(&none);
	CHECK(m->nr_cpus == 0 && m->nr_ioapics == 0 && m->lapic == 0);
	CHECK(memcmp(m->isa, none.isa, sizeof(m->isa)) == 0);
}

static void check_madt(const struct madt *m)
{
	CHECK(m->nr_cpus > 0 && m->nr_cpus <= MAX_CPUS);
	for (unsigned int i = 0; i < m->nr_cpus; i++) {
		CHECK(m->apic_ids[i] < 255);
		for (unsigned int k = 0; k < i; k++)
			CHECK(m->apic_ids[k] != m->apic_ids[i]);
	}
	CHECK(m->nr_ioapics <= MAX_IOAPICS);
	for (unsigned int i = 0; i < m->nr_ioapics; i++)
		CHECK(m->ioapics[i].base && IS_ALIGNED(m->ioapics[i].base, 256));
	CHECK(IS_ALIGNED(m->lapic, PAGE_SIZE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct madt m;
	u8 mode;
	int err;

	if (size < MADT + 37)
		return 0;
	mode = data[0];
	data++;
	size--;
	memory_size = size;
	memory_base = mode & 1 ? 0xe0000 : 0x1000;
	memory = host_alloc(size);
	memcpy(memory, data, size);
	if (mode & 6)
		make_plausible();
	memset(&m, 0x5a, sizeof(m));
	err = madt_parse(mode & 1 ? 0 : memory_base, map, &m);
	if (err) {
		CHECK(err == -EINVAL || err == -ENODEV);
		check_none(&m);
	} else {
		check_madt(&m);
	}
	host_free(memory);
	return 0;
}
