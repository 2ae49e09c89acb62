/* SPDX-License-Identifier: MIT
 *
 * The cpio parser: raw bytes, and archives built from the input with a few bytes changed, because
 * random bytes seldom are 13 hexadecimal numbers.
 */
#include "sim_host.h"

#include <fs/cpio.h>
#include <kern/assert.h>
#include <kern/printf.h>
#include <kern/string.h>
#include <uapi/errno.h>

#define CHECK(cond) BUG_ON(!(cond))
#define MAX_ARCHIVE 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	const u8 *start, *end;
	unsigned int entries, stop_after;
};

static int entry(void *arg, const struct cpio_entry *e)
{
	struct seen *s = arg;
	const u8 *name = (const u8 *)e->name, *contents = e->data;
	u8 sum = 0;

	CHECK(name >= s->start && name < s->end);
	CHECK(name + strlen(e->name) < s->end && e->name[0] && e->name[0] != '/');
	CHECK(contents >= s->start && contents <= s->end && e->size <= (size_t)(s->end - contents));
	for (size_t i = 0; i < e->size; i++)
		sum ^= contents[i];
	*(volatile u8 *)&sum;
	for (const char *part = e->name; part; part = strchr(part, '/')) {
		while (*part == '/')
			part++;
		CHECK(!(part[0] == '.' && part[1] == '.' && (part[2] == 0 || part[2] == '/')));
	}
	return ++s->entries == s->stop_after ? -ENOSPC : 0;
}

static void parse(const u8 *bytes, size_t n, unsigned int stop_after)
{
	/* An exact copy: one byte too far is a report. */
	u8 *copy = host_alloc(n ? n : 1);
	struct seen s = { copy, copy + n, 0, stop_after };
	const struct cpio_ops ops = { .entry = entry };
	int err;

	memcpy(copy, bytes, n);
	err = cpio_parse(copy, n, &ops, &s);
	CHECK(err == 0 || err == -EINVAL || (err == -ENOSPC && s.entries == stop_after));
	host_free(copy);
}

/* One member: type, length and name from the input. Returns the archive's new length. */
static size_t add_member(char *out, size_t at, const uint8_t *p, size_t n)
{
	static const unsigned int types[] = { 0100644, 0040755, 0120777, 0020600,
					      0060600, 0010600, 0140600, 0 };
	size_t name_len = 1 + p[1] % 12,
	       data_len = types[p[0] % 8] == 0100644 || p[0] % 8 == 2 ? p[2] : 0;

	if (n < 20 || at + 110 + name_len + data_len + 16 > MAX_ARCHIVE)
		return at;
	at += (size_t)scnprintf(out + at, MAX_ARCHIVE - at,
				"07070%c%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
				p[0] & 64 ? '2' : '1', p[3], types[p[0] % 8], p[4], p[5],
				1 + p[6] % 2, 0U, (unsigned int)data_len, 0U, p[7], p[8], p[9],
				(unsigned int)name_len + 1, 0U);
	for (size_t i = 0; i < name_len; i++)
		out[at++] = "abcd./"[p[10 + i % 10] % 6];
	out[at++] = 0;
	while (at % 4)
		out[at++] = 0;
	memset(out + at, p[7], data_len);
	at += data_len;
	while (at % 4)
		out[at++] = 0;
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char archive[MAX_ARCHIVE + 256];
	size_t n = 0, i;

	parse(data, size, 0);
	for (i = 4; i + 20 <= size; i += 20)
		n = add_member(archive, n, data + i, size - i);
	n += (size_t)scnprintf(archive + n, sizeof(archive) - n, "070701%078d%08x%08x%08x", 0, 11,
			       0, 0);
	n -= 8;
	memcpy(archive + n, "TRAILER!!!", 11);
	n += 11;
	while (n % 4)
		archive[n++] = 0;
	parse((u8 *)archive, n, 0);
	if (size < 4)
		return 0;
	/* cut short, stopped by its caller, one byte changed */
	parse((u8 *)archive, data[0] * 64UL % (n + 1), 0);
	parse((u8 *)archive, n, data[1]);
	archive[(data[2] * 251UL + data[1]) % n] ^= (char)(1 + data[3] % 255);
	parse((u8 *)archive, n, 0);
	return 0;
}
