/* SPDX-License-Identifier: MIT
 *
 * madt_parse() on hand-made tables. The bytes of a table lie in a heap block of their own, so reading
 * beyond what map() gave is a sanitizer's report.
 */
#include "t.h"

#include <arch/madt.h>
#include <arch/page_types.h>
#include <stdlib.h>

#define MAX_BLOCKS 8
#define BLOCK_MAX 4096

#define RSDP_PA 0xf5a40UL
#define ROOT_PA 0x7fe1000UL
#define OTHER_PA 0x7fe2000UL
#define MADT_PA 0x7fe3000UL

static struct block {
	phys_t pa;
	size_t size;
	u8 *bytes;
} blocks[MAX_BLOCKS];
static unsigned int nr_blocks;

/* Every answer is an exact copy, kept until the test ends. */
static void *copies[1024];
static unsigned int nr_copies;

static const void *map(phys_t pa, size_t len)
{
	for (unsigned int i = 0; i < nr_blocks; i++) {
		const struct block *b = &blocks[i];

		if (pa < b->pa || pa - b->pa > b->size || b->size - (pa - b->pa) < len)
			continue;
		assert_true(nr_copies < ARRAY_SIZE(copies));
		copies[nr_copies] = malloc(len);
		memcpy(copies[nr_copies], b->bytes + (pa - b->pa), len);
		return copies[nr_copies++];
	}
	return NULL;
}

/* size bytes at pa, zeroed. */
static u8 *block(phys_t pa, size_t size)
{
	struct block *b = &blocks[nr_blocks++];

	assert_true(nr_blocks <= MAX_BLOCKS);
	*b = (struct block){ pa, size, calloc(1, size) };
	return b->bytes;
}

static int setup(void **state)
{
	*state = NULL;
	nr_blocks = 0;
	nr_copies = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < nr_blocks; i++)
		free(blocks[i].bytes);
	for (unsigned int i = 0; i < nr_copies; i++)
		free(copies[i]);
	return 0;
}

/* ---- making tables ---- */

static void put(u8 *p, size_t at, size_t bytes, u64 v)
{
	memcpy(p + at, &v, bytes);
}

static void fix_sum(u8 *p, size_t sum_at, size_t n)
{
	u8 sum = 0;

	p[sum_at] = 0;
	for (size_t i = 0; i < n; i++)
		sum = (u8)(sum + p[i]);
	p[sum_at] = (u8)-sum;
}

static u8 *table(phys_t pa, const char *signature, size_t size)
{
	u8 *p = block(pa, size);

	memcpy(p, signature, 4);
	put(p, 4, 4, size);
	fix_sum(p, 9, size);
	return p;
}

static u8 *rsdp(phys_t pa, unsigned int revision, phys_t root)
{
	size_t size = revision < 2 ? 20 : 36;
	u8 *p = block(pa, size);

	memcpy(p, "RSD PTR ", 8);
	p[15] = (u8)revision;
	put(p, 16, 4, revision < 2 ? root : 0);
	fix_sum(p, 8, 20);
	if (revision >= 2) {
		put(p, 20, 4, size);
		put(p, 24, 8, root);
		fix_sum(p, 32, size);
	}
	return p;
}

/* RSDP and root with two entries, a table of no interest and the MADT. Returns the root. */
static u8 *roots(unsigned int revision)
{
	unsigned int width = revision < 2 ? 4 : 8;
	u8 *p = table(ROOT_PA, revision < 2 ? "RSDT" : "XSDT", 36 + 2 * width);

	rsdp(RSDP_PA, revision, ROOT_PA);
	put(p, 36, width, OTHER_PA);
	put(p, 36 + width, width, MADT_PA);
	fix_sum(p, 9, 36 + 2 * width);
	table(OTHER_PA, "FACP", 116);
	return p;
}

/* A MADT being written: entries are appended, madt_end() makes the block of it. */
static u8 madt_bytes[BLOCK_MAX];
static size_t madt_len;

static void madt_begin(u32 lapic)
{
	memset(madt_bytes, 0, sizeof(madt_bytes));
	memcpy(madt_bytes, "APIC", 4);
	put(madt_bytes, 36, 4, lapic);
	madt_len = 44;
}

static u8 *entry(u8 type, u8 size)
{
	u8 *p = madt_bytes + madt_len;

	p[0] = type;
	p[1] = size;
	madt_len += size;
	return p;
}

static void cpu_entry(u8 id, u32 flags)
{
	u8 *p = entry(0, 8);

	p[3] = id;
	put(p, 4, 4, flags);
}

static void x2apic_entry(u32 id, u32 flags)
{
	u8 *p = entry(9, 16);

	put(p, 4, 4, id);
	put(p, 8, 4, flags);
}

static void ioapic_entry(u32 base, u32 gsi)
{
	u8 *p = entry(1, 12);

	put(p, 4, 4, base);
	put(p, 8, 4, gsi);
}

static void override_entry(u8 bus, u8 line, u32 gsi, u16 flags)
{
	u8 *p = entry(2, 10);

	p[2] = bus;
	p[3] = line;
	put(p, 4, 4, gsi);
	put(p, 8, 2, flags);
}

static u8 *madt_end(void)
{
	u8 *p = block(MADT_PA, madt_len);

	put(madt_bytes, 4, 4, madt_len);
	fix_sum(madt_bytes, 9, madt_len);
	memcpy(p, madt_bytes, madt_len);
	return p;
}

/* A small PC's. */
static u8 *usual_madt(void)
{
	madt_begin(0xfee00000);
	cpu_entry(0, 1);
	cpu_entry(1, 1);
	ioapic_entry(0xfec00000, 0);
	override_entry(0, 0, 2, 0);
	override_entry(0, 9, 9, 0xd);
	override_entry(0, 10, 10, 0xf);
	return madt_end();
}

/* ---- checks ---- */

static void assert_none(const struct madt *m)
{
	assert_int_equal(m->nr_cpus, 0);
	assert_int_equal(m->nr_ioapics, 0);
	assert_int_equal(m->lapic, 0);
	for (unsigned int i = 0; i < NR_ISA_LINES; i++) {
		assert_int_equal(m->isa[i].gsi, i);
		assert_false(m->isa[i].active_low || m->isa[i].level);
	}
}

static void assert_refused(phys_t pa, int err)
{
	struct madt m;

	memset(&m, 0x5a, sizeof(m));
	assert_int_equal(madt_parse(pa, map, &m), err);
	assert_none(&m);
}

static void assert_usual(const struct madt *m)
{
	assert_int_equal(m->nr_cpus, 2);
	assert_int_equal(m->apic_ids[0], 0);
	assert_int_equal(m->apic_ids[1], 1);
	assert_int_equal(m->lapic, 0xfee00000);
	assert_int_equal(m->nr_ioapics, 1);
	assert_int_equal(m->ioapics[0].base, 0xfec00000);
	assert_int_equal(m->ioapics[0].gsi_base, 0);
	assert_int_equal(m->isa[0].gsi, 2);
	assert_false(m->isa[0].active_low || m->isa[0].level);
	assert_int_equal(m->isa[1].gsi, 1);
	assert_true(!m->isa[9].active_low && m->isa[9].level);
	assert_true(m->isa[10].active_low && m->isa[10].level);
}

static void test_rsdt(void **state)
{
	struct madt m;

	(void)state;
	roots(0);
	usual_madt();
	assert_int_equal(madt_parse(RSDP_PA, map, &m), 0);
	assert_usual(&m);
}

static void test_xsdt(void **state)
{
	struct madt m;

	(void)state;
	roots(2);
	usual_madt();
	assert_int_equal(madt_parse(RSDP_PA, map, &m), 0);
	assert_usual(&m);
}

/* Revision 2 without XSDT: the RSDT counts. */
static void test_no_xsdt(void **state)
{
	struct madt m;
	u8 *p;

	(void)state;
	roots(0);
	usual_madt();
	p = rsdp(0xe0000, 2, 0);
	put(p, 16, 4, ROOT_PA);
	fix_sum(p, 8, 20);
	fix_sum(p, 32, 36);
	assert_int_equal(madt_parse(0xe0000, map, &m), 0);
	assert_usual(&m);
}

static void test_search(void **state)
{
	struct madt m;
	u8 *decoy;

	(void)state;
	roots(0);
	usual_madt();
	decoy = rsdp(0xe0000, 0, OTHER_PA);
	decoy[8]++;
	/* The areas have holes here, which are passed over. */
	assert_int_equal(madt_parse(0, map, &m), 0);
	assert_usual(&m);
}

static void test_search_ebda(void **state)
{
	struct madt m;

	(void)state;
	put(block(0x40e, 2), 0, 2, 0x9fc0);
	roots(0);
	blocks[2].pa = 0x9fc00 + 1024 - 32;
	usual_madt();
	assert_int_equal(madt_parse(0, map, &m), 0);
	assert_usual(&m);
}

static void test_nothing(void **state)
{
	u8 *p;

	(void)state;
	assert_refused(0, -ENODEV);
	assert_refused(RSDP_PA, -EINVAL);
	p = roots(0);
	/* No table of that name: not mapped, absent, and not there at all. */
	assert_refused(RSDP_PA, -ENODEV);
	put(p, 40, 4, 0);
	fix_sum(p, 9, 44);
	assert_refused(RSDP_PA, -ENODEV);
	put(p, 4, 4, 36);
	fix_sum(p, 9, 36);
	assert_refused(RSDP_PA, -ENODEV);
}

static void test_checksums(void **state)
{
	u8 *where[3];
	struct madt m;

	(void)state;
	where[0] = roots(2);
	where[1] = blocks[1].bytes;
	where[2] = usual_madt();
	for (unsigned int i = 0; i < ARRAY_SIZE(where); i++) {
		where[i][33]++;
		assert_refused(RSDP_PA, -EINVAL);
		where[i][33]--;
	}
	/* The first part has a sum of its own. */
	where[1][9]++;
	fix_sum(where[1], 32, 36);
	assert_refused(RSDP_PA, -EINVAL);
	where[1][9]--;
	fix_sum(where[1], 32, 36);
	assert_int_equal(madt_parse(RSDP_PA, map, &m), 0);
}

/* Every table cut at every length: the memory ends, or the length says so. */
static void test_truncated(void **state)
{
	(void)state;
	roots(2);
	usual_madt();
	for (unsigned int i = 0; i < nr_blocks; i++) {
		size_t whole = blocks[i].size;

		if (blocks[i].pa == OTHER_PA)
			continue;
		for (blocks[i].size = 0; blocks[i].size < whole; blocks[i].size++) {
			struct madt m;
			int err = madt_parse(RSDP_PA, map, &m);

			assert_true(err == -EINVAL || err == -ENODEV);
			assert_none(&m);
			teardown(&(void *){ NULL });
			nr_copies = 0;
			nr_blocks = 0;
			roots(2);
			usual_madt();
		}
		blocks[i].size = whole;
	}
}

static void test_lying_lengths(void **state)
{
	static const u32 lies[] = { 0, 8, 35, 36, 43, 45, 90, 1000, 1u << 20, (1u << 20) + 1, ~0u };
	u8 *p;

	(void)state;
	roots(2);
	p = usual_madt();
	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++) {
		put(p, 4, 4, lies[i]);
		fix_sum(p, 9, min((size_t)lies[i], madt_len));
		assert_refused(RSDP_PA, -EINVAL);
	}
	put(p, 4, 4, madt_len);
	p = blocks[0].bytes;
	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++) {
		struct madt m;

		put(p, 4, 4, lies[i]);
		fix_sum(p, 9, min((size_t)lies[i], blocks[0].size));
		assert_true(madt_parse(RSDP_PA, map, &m) < 0);
		assert_none(&m);
	}
	put(p, 4, 4, 52);
	fix_sum(p, 9, 52);
	p = blocks[1].bytes;
	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++) {
		put(p, 20, 4, lies[i]);
		fix_sum(p, 32, 36);
		assert_refused(RSDP_PA, -EINVAL);
	}
}

static void madt_of_one_entry(u8 type, u8 size)
{
	roots(0);
	madt_begin(0xfee00000);
	cpu_entry(0, 1);
	entry(type, size);
}

static void test_entry_lengths(void **state)
{
	static const struct {
		u8 type, size;
	} rows[] = { { 0, 7 },	{ 1, 11 }, { 2, 9 },   { 5, 11 }, { 9, 15 },
		     { 99, 0 }, { 99, 1 }, { 1, 255 }, { 0, 0 } };
	struct madt m;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		madt_of_one_entry(rows[i].type, rows[i].size);
		if (rows[i].size == 255)
			madt_len -= 243;
		if (rows[i].size < 2)
			madt_len += 2 - rows[i].size;
		madt_end();
		assert_refused(RSDP_PA, -EINVAL);
		teardown(state);
		setup(state);
	}
	/* One byte behind the last entry is half of another. */
	madt_of_one_entry(99, 7);
	madt_len++;
	madt_end();
	assert_refused(RSDP_PA, -EINVAL);
	teardown(state);
	setup(state);
	/* What is longer than today's, or unknown, is passed over. */
	madt_of_one_entry(99, 7);
	cpu_entry(3, 1);
	entry(0, 40);
	madt_end();
	assert_int_equal(madt_parse(RSDP_PA, map, &m), 0);
	assert_int_equal(m.nr_cpus, 2);
}

static void test_cpus(void **state)
{
	struct madt m;

	(void)state;
	roots(0);
	madt_begin(0);
	cpu_entry(7, 1);
	cpu_entry(8, 2); /* online-capable, not there */
	cpu_entry(9, 0);
	cpu_entry(7, 1);
	cpu_entry(255, 1); /* everybody's */
	x2apic_entry(7, 1);
	x2apic_entry(200, 1);
	x2apic_entry(201, 2);
	x2apic_entry(255, 1);
	x2apic_entry(256, 1);
	x2apic_entry(~0u, 1);
	cpu_entry(2, 3);
	madt_end();
	assert_int_equal(madt_parse(RSDP_PA, map, &m), 0);
	assert_int_equal(m.lapic, 0);
	assert_int_equal(m.nr_cpus, 3);
	assert_int_equal(m.apic_ids[0], 7);
	assert_int_equal(m.apic_ids[1], 200);
	assert_int_equal(m.apic_ids[2], 2);
}

static void test_200_cpus(void **state)
{
	struct madt m;

	(void)state;
	roots(2);
	madt_begin(0);
	for (unsigned int i = 0; i < 200; i++)
		cpu_entry((u8)(200 - i), 1);
	for (unsigned int i = 0; i < 20; i++)
		ioapic_entry(0xfec00000 + i * 0x1000, i * 24);
	madt_end();
	assert_int_equal(madt_parse(RSDP_PA, map, &m), 0);
	assert_int_equal(m.nr_cpus, MAX_CPUS);
	for (unsigned int i = 0; i < MAX_CPUS; i++)
		assert_int_equal(m.apic_ids[i], 200 - i);
	assert_int_equal(m.nr_ioapics, MAX_IOAPICS);
	assert_int_equal(m.ioapics[7].gsi_base, 168);
}

static void test_no_cpu(void **state)
{
	(void)state;
	roots(0);
	madt_begin(0);
	cpu_entry(0, 0);
	ioapic_entry(0xfec00000, 0);
	madt_end();
	assert_refused(RSDP_PA, -EINVAL);
}

static void test_overrides(void **state)
{
	struct madt m;
	u8 *p;

	(void)state;
	roots(0);
	madt_begin(0xfee00000);
	cpu_entry(0, 1);
	override_entry(0, 5, 77, 0x3); /* active low */
	override_entry(0, 6, 6, 0xc);  /* level */
	override_entry(0, 7, 7, 0x5);  /* as ISA, said in full */
	override_entry(0, 8, 8, 0xa);  /* reserved values */
	override_entry(0, 16, 1, 0xf);
	override_entry(1, 4, 1, 0xf);
	p = entry(5, 12);
	put(p, 4, 8, 0xfed00000);
	madt_end();
	assert_int_equal(madt_parse(RSDP_PA, map, &m), 0);
	assert_int_equal(m.lapic, 0xfed00000);
	assert_int_equal(m.isa[5].gsi, 77);
	assert_true(m.isa[5].active_low && !m.isa[5].level);
	assert_true(!m.isa[6].active_low && m.isa[6].level);
	for (unsigned int i = 7; i <= 8; i++)
		assert_true(!m.isa[i].active_low && !m.isa[i].level);
	assert_int_equal(m.isa[4].gsi, 4);
}

static void test_impossible_addresses(void **state)
{
	u8 *p;

	for (unsigned int i = 0; i < 4; i++) {
		roots(0);
		madt_begin(i == 0 ? 0xfee00008 : 0xfee00000);
		cpu_entry(0, 1);
		if (i == 1 || i == 2)
			ioapic_entry(i == 1 ? 0 : 0xfec00010, 0);
		if (i == 3) {
			p = entry(5, 12);
			put(p, 4, 8, 1UL << 40);
		}
		madt_end();
		assert_refused(RSDP_PA, -EINVAL);
		teardown(state);
		setup(state);
	}
}

/* Tables may point anywhere, themselves included. */
static void test_wild_pointers(void **state)
{
	static const u64 wild[] = { RSDP_PA, ROOT_PA, MADT_PA, 1, ~0UL, ~0UL - 35, 1UL << 32 };
	u8 *root, *p;

	(void)state;
	root = roots(2);
	usual_madt();
	p = blocks[1].bytes;
	for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++) {
		put(root, 36, 8, wild[i]);
		put(root, 44, 8, wild[i]);
		fix_sum(root, 9, 52);
		if (wild[i] != MADT_PA)
			assert_refused(RSDP_PA, -ENODEV);
		if (wild[i] != ROOT_PA) {
			put(p, 24, 8, wild[i]);
			fix_sum(p, 32, 36);
			assert_refused(RSDP_PA, -EINVAL);
			put(p, 24, 8, ROOT_PA);
			fix_sum(p, 32, 36);
		}
	}
}

#define M(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		M(test_rsdt),	       M(test_xsdt),	    M(test_no_xsdt),
		M(test_search),	       M(test_search_ebda), M(test_nothing),
		M(test_checksums),     M(test_truncated),   M(test_lying_lengths),
		M(test_entry_lengths), M(test_cpus),	    M(test_200_cpus),
		M(test_no_cpu),	       M(test_overrides),   M(test_impossible_addresses),
		M(test_wild_pointers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
