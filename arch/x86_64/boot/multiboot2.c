// SPDX-License-Identifier: MIT
/*
 * Multiboot2 boot information (specification 2.0, section 3.6): a list of tags of type, size and
 * payload, each padded to 8 bytes. Nothing in it is believed before it is known to lie inside the
 * block.
 */
#include "memmap.h"
#include <uapi/errno.h>

enum tag_type {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_MODULE = 3,
	TAG_MMAP = 6,
	TAG_RSDP_V1 = 14, /* a copy of the RSDP follows the tag's header */
	TAG_RSDP_V2 = 15,
};

struct tag {
	u32 type, size;
};

struct module_tag {
	struct tag tag;
	u32 start, end;
};

struct mmap_tag {
	struct tag tag;
	u32 entry_size, entry_version;
};

struct mmap_entry {
	u64 base, length;
	u32 type, reserved;
};

/* The tag at *pos of the block, which is advanced; NULL at the end. *bad: the block is broken. */
static const u8 *next_tag(const u8 *block, size_t total, size_t *pos, struct tag *t, bool *bad)
{
	const u8 *p = block + *pos;

	*bad = *pos > total || total - *pos < sizeof(*t);
	if (*bad)
		return NULL;
	memcpy(t, p, sizeof(*t));
	*bad = t->size < sizeof(*t) || t->size > total - *pos;
	if (*bad || t->type == TAG_END)
		return NULL;
	*pos += ALIGN_UP((size_t)t->size, 8);
	return p;
}

static bool parse_cmdline(const u8 *p, u32 size, struct boot_info *bi)
{
	size_t n = size - sizeof(struct tag);
	const char *s = (const char *)p + sizeof(struct tag);
	size_t len = strnlen(s, n);

	if (len == n || len >= sizeof(bi->cmdline))
		return false;
	memcpy(bi->cmdline, s, len + 1);
	return true;
}

static bool parse_module(const u8 *p, u32 size, struct boot_info *bi)
{
	struct module_tag m;

	if (size < sizeof(m))
		return false;
	memcpy(&m, p, sizeof(m));
	if (m.start > m.end)
		return false;
	if (bi->initrd.start == bi->initrd.end)
		bi->initrd = (struct boot_range){ m.start, m.end };
	return true;
}

static bool parse_mmap(const u8 *p, u32 size, struct memmap *map, unsigned int pass)
{
	struct mmap_tag m;
	struct mmap_entry e;

	if (size < sizeof(m))
		return false;
	memcpy(&m, p, sizeof(m));
	if (m.entry_size < sizeof(e) || m.entry_size % 8)
		return false;
	for (size_t at = sizeof(m); at <= size && size - at >= m.entry_size; at += m.entry_size) {
		memcpy(&e, p + at, sizeof(e));
		memmap_entry(map, pass, e.base, e.length, e.type);
	}
	return true;
}

static void parse_rsdp(phys_t pa, const struct tag *t, struct boot_info *bi)
{
	/* Whoever gives both knows more from the second. */
	if (!bi->rsdp || t->type == TAG_RSDP_V2)
		bi->rsdp = pa + sizeof(*t);
}

static bool parse_tags(const u8 *block, phys_t pa, size_t total, struct boot_info *bi,
		       struct memmap *map, unsigned int pass)
{
	size_t pos = 8;
	const u8 *p;
	struct tag t;
	bool bad;

	while ((p = next_tag(block, total, &pos, &t, &bad))) {
		if (t.type == TAG_MMAP && !parse_mmap(p, t.size, map, pass))
			return false;
		if (pass == 0 && t.type == TAG_CMDLINE && !parse_cmdline(p, t.size, bi))
			return false;
		if (pass == 0 && t.type == TAG_MODULE && !parse_module(p, t.size, bi))
			return false;
		if (pass == 0 && (t.type == TAG_RSDP_V1 || t.type == TAG_RSDP_V2))
			parse_rsdp(pa + (size_t)(p - block), &t, bi);
	}
	return !bad;
}

int multiboot2_parse(const void *data, phys_t pa, size_t len, struct boot_info *bi)
{
	struct boot_info out = { .nr_ram = 0 };
	struct memmap map = { .ram.nr = 0 };
	u32 total;

	if (len < 8)
		return -EINVAL;
	memcpy(&total, data, sizeof(total));
	if (total < 8 || total > len)
		return -EINVAL;
	for (unsigned int pass = 0; pass < 2; pass++)
		if (!parse_tags(data, pa, total, &out, &map, pass))
			return -EINVAL;
	if (!memmap_finish(&map, &out))
		return -EINVAL;
	*bi = out;
	return 0;
}
