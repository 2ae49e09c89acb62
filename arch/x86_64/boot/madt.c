// SPDX-License-Identifier: MIT
/*
 * ACPI tables as far as interrupt controllers and CPUs need them (ACPI specification 6.5, 5.2.5 RSDP,
 * 5.2.7 and 5.2.8 RSDT and XSDT, 5.2.12 MADT). The firmware's bytes are untrusted: a table counts
 * only when all of it can be mapped and its checksum is right, an entry only when it lies inside.
 */
#include <arch/madt.h>
#include <arch/page_types.h>
#include <kern/string.h>
#include <uapi/errno.h>

#define RSDP_V1_SIZE 20
#define RSDP_V2_SIZE 36
#define RSDP_REVISION 15
#define RSDP_RSDT 16
#define RSDP_LENGTH 20
#define RSDP_XSDT 24

#define HEADER_SIZE 36
#define HEADER_LENGTH 4
#define MADT_LAPIC 36
#define MADT_ENTRIES 44
/* Longer ones are damaged; bounds the time for checksums. */
#define TABLE_MAX (1U << 20)

#define EBDA_POINTER 0x40e /* its segment, in the BIOS data area */
#define EBDA_SEARCHED 1024
#define BIOS_START 0xe0000UL
#define BIOS_END 0x100000UL
#define RSDP_ALIGN 16

/* Every CPU with long mode has so many address bits at least. */
#define MMIO_LIMIT (1UL << 36)
#define IOAPIC_ALIGN 256
#define APIC_ID_BROADCAST 255

enum madt_type {
	MADT_LAPIC_CPU = 0,
	MADT_IOAPIC = 1,
	MADT_ISA_OVERRIDE = 2,
	MADT_LAPIC_ADDRESS = 5,
	MADT_X2APIC_CPU = 9,
	NR_MADT_TYPES,
};

static const u8 entry_size[NR_MADT_TYPES] = {
	[MADT_LAPIC_CPU] = 8,	   [MADT_IOAPIC] = 12,	   [MADT_ISA_OVERRIDE] = 10,
	[MADT_LAPIC_ADDRESS] = 12, [MADT_X2APIC_CPU] = 16,
};

#define CPU_ENABLED 0x1u
#define POLARITY(flags) ((flags)&3u)
#define TRIGGER(flags) ((flags) >> 2 & 3u)
#define NOT_AS_ISA 3u /* active low, level; all else is what an ISA line is */

typedef const void *(*map_fn)(phys_t pa, size_t len);

static u16 read16(const u8 *p)
{
	u16 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u32 read32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u64 read64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool sums_to_zero(const u8 *p, size_t n)
{
	u8 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (u8)(sum + p[i]);
	return sum == 0;
}

/* ---- finding the table ---- */

static bool is_rsdp(const u8 *p)
{
	return memcmp(p, "RSD PTR ", 8) == 0 && sums_to_zero(p, RSDP_V1_SIZE);
}

/* The address of an RSDP in [start, end), or 0. */
static phys_t scan(phys_t start, phys_t end, map_fn map)
{
	for (phys_t pa = start; end - pa >= RSDP_V1_SIZE; pa += RSDP_ALIGN) {
		const u8 *p = map(pa, RSDP_V1_SIZE);

		if (p && is_rsdp(p))
			return pa;
	}
	return 0;
}

static phys_t search_bios_areas(map_fn map)
{
	const u8 *p = map(EBDA_POINTER, sizeof(u16));
	phys_t ebda = p ? (phys_t)read16(p) << 4 : 0;
	phys_t found = ebda ? scan(ebda, ebda + EBDA_SEARCHED, map) : 0;

	return found ? found : scan(BIOS_START, BIOS_END, map);
}

/* The bytes of a whole table with a right checksum, or NULL. */
static const u8 *map_table(phys_t pa, const char *signature, map_fn map, u32 *len)
{
	const u8 *p = map(pa, HEADER_SIZE);

	if (!p || memcmp(p, signature, 4) != 0)
		return NULL;
	*len = read32(p + HEADER_LENGTH);
	if (*len < HEADER_SIZE || *len > TABLE_MAX)
		return NULL;
	p = map(pa, *len);
	return p && sums_to_zero(p, *len) ? p : NULL;
}

/* The root table's bytes; entries of *wide are 8 bytes, else 4. NULL: damaged. */
static const u8 *map_root(phys_t rsdp, map_fn map, u32 *len, bool *wide)
{
	const u8 *p = map(rsdp, RSDP_V1_SIZE);
	u32 rsdt, size;
	u64 xsdt;

	if (!p || !is_rsdp(p))
		return NULL;
	*wide = false;
	rsdt = read32(p + RSDP_RSDT);
	if (p[RSDP_REVISION] < 2)
		return map_table(rsdt, "RSDT", map, len);

	p = map(rsdp, RSDP_V2_SIZE);
	if (!p)
		return NULL;
	size = read32(p + RSDP_LENGTH);
	xsdt = read64(p + RSDP_XSDT);
	if (size < RSDP_V2_SIZE || size > TABLE_MAX)
		return NULL;
	p = map(rsdp, size);
	if (!p || !sums_to_zero(p, size))
		return NULL;
	*wide = xsdt != 0;
	return *wide ? map_table(xsdt, "XSDT", map, len) : map_table(rsdt, "RSDT", map, len);
}

/* Where the first MADT lies, or 0. Tables out of map()'s reach are others, as far as we can tell. */
static phys_t find_madt(const u8 *root, u32 len, bool wide, map_fn map)
{
	u32 step = wide ? sizeof(u64) : sizeof(u32);

	for (u32 at = HEADER_SIZE; len - at >= step; at += step) {
		phys_t pa = wide ? read64(root + at) : read32(root + at);
		const u8 *p = pa ? map(pa, HEADER_SIZE) : NULL;

		if (p && memcmp(p, "APIC", 4) == 0)
			return pa;
	}
	return 0;
}

/* ---- its entries ---- */

static void add_cpu(struct madt *m, u32 apic_id, u32 flags)
{
	if (!(flags & CPU_ENABLED) || apic_id >= APIC_ID_BROADCAST || m->nr_cpus == MAX_CPUS)
		return;
	for (unsigned int i = 0; i < m->nr_cpus; i++)
		if (m->apic_ids[i] == apic_id)
			return;
	m->apic_ids[m->nr_cpus++] = apic_id;
}

static bool add_ioapic(struct madt *m, phys_t base, u32 gsi_base)
{
	if (!base || !IS_ALIGNED(base, IOAPIC_ALIGN))
		return false;
	if (m->nr_ioapics == MAX_IOAPICS)
		return true;
	m->ioapics[m->nr_ioapics].base = base;
	m->ioapics[m->nr_ioapics].gsi_base = gsi_base;
	m->nr_ioapics++;
	return true;
}

/* Bus 0 is ISA; the specification knows no other. */
static void override_line(struct madt *m, u8 bus, u8 line, u32 gsi, u16 flags)
{
	if (bus != 0 || line >= NR_ISA_LINES)
		return;
	m->isa[line].gsi = gsi;
	m->isa[line].active_low = POLARITY(flags) == NOT_AS_ISA;
	m->isa[line].level = TRIGGER(flags) == NOT_AS_ISA;
}

static bool set_lapic(struct madt *m, u64 pa)
{
	m->lapic = pa;
	return IS_ALIGNED(pa, PAGE_SIZE) && pa < MMIO_LIMIT;
}

/* False when what it says cannot be. */
static bool parse_entry(const u8 *p, struct madt *m)
{
	switch (p[0]) {
	case MADT_LAPIC_CPU:
		add_cpu(m, p[3], read32(p + 4));
		return true;
	case MADT_IOAPIC:
		return add_ioapic(m, read32(p + 4), read32(p + 8));
	case MADT_ISA_OVERRIDE:
		override_line(m, p[2], p[3], read32(p + 4), read16(p + 8));
		return true;
	case MADT_LAPIC_ADDRESS:
		return set_lapic(m, read64(p + 4));
	case MADT_X2APIC_CPU:
		add_cpu(m, read32(p + 4), read32(p + 8));
		return true;
	default:
		return true;
	}
}

static bool parse_entries(const u8 *table, u32 len, struct madt *m)
{
	u32 at = MADT_ENTRIES;

	if (len < MADT_ENTRIES || !set_lapic(m, read32(table + MADT_LAPIC)))
		return false;
	while (at < len) {
		const u8 *p = table + at;

		if (len - at < 2 || p[1] < 2 || p[1] > len - at)
			return false;
		if (p[0] < NR_MADT_TYPES && p[1] < entry_size[p[0]])
			return false;
		if (!parse_entry(p, m))
			return false;
		at += p[1];
	}
	return m->nr_cpus > 0;
}

void madt_none(struct madt *m)
{
	memset(m, 0, sizeof(*m));
	for (u32 i = 0; i < NR_ISA_LINES; i++)
		m->isa[i].gsi = i;
}

int madt_parse(phys_t rsdp, map_fn map, struct madt *m)
{
	struct madt out;
	const u8 *p;
	phys_t pa;
	bool wide;
	u32 len;

	madt_none(m);
	if (!rsdp)
		rsdp = search_bios_areas(map);
	if (!rsdp)
		return -ENODEV;
	p = map_root(rsdp, map, &len, &wide);
	if (!p)
		return -EINVAL;
	pa = find_madt(p, len, wide, map);
	if (!pa)
		return -ENODEV;
	p = map_table(pa, "APIC", map, &len);
	madt_none(&out);
	if (!p || !parse_entries(p, len, &out))
		return -EINVAL;
	*m = out;
	return 0;
}
