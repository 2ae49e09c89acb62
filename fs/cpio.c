/* SPDX-License-Identifier: MIT
 *
 * The newc cpio format: a header of 110 characters (a magic number and 13 fields of 8 hexadecimal
 * digits), the name with its 0, padding to 4 bytes, the data, padding to 4 bytes. An entry
 * "TRAILER!!!" ends the archive.
 */
#include <fs/cpio.h>
#include <kern/string.h>
#include <uapi/errno.h>

#define HEADER_SIZE 110UL
#define NR_FIELDS 13
#define CPIO_NAME_MAX 4096U

enum field {
	F_INO,
	F_MODE,
	F_UID,
	F_GID,
	F_NLINK,
	F_MTIME,
	F_FILESIZE,
	F_DEVMAJOR,
	F_DEVMINOR,
	F_RDEVMAJOR,
	F_RDEVMINOR,
	F_NAMESIZE,
	F_CHECK,
};

struct parser {
	const u8 *base;
	size_t len, pos;
	u32 field[NR_FIELDS];
	bool checksum; /* of the current entry */
};

static int hex_digit(u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_field(const u8 *s, u32 *out)
{
	u32 v = 0;

	for (int i = 0; i < 8; i++) {
		int d = hex_digit(s[i]);

		if (d < 0)
			return -EINVAL;
		v = v << 4 | (u32)d;
	}
	*out = v;
	return 0;
}

static int parse_header(struct parser *p)
{
	const u8 *h = p->base + p->pos;

	if (p->len - p->pos < HEADER_SIZE)
		return -EINVAL;
	if (memcmp(h, "070701", 6) && memcmp(h, "070702", 6))
		return -EINVAL;
	p->checksum = h[5] == '2';
	for (int i = 0; i < NR_FIELDS; i++)
		if (parse_field(h + 6 + 8 * i, &p->field[i]))
			return -EINVAL;
	p->pos += HEADER_SIZE;
	return 0;
}

/* Relative, and nowhere out of the root. */
static bool name_is_safe(const char *s)
{
	if (*s == '/')
		return false;
	while (*s) {
		const char *end = strchr(s, '/');
		size_t n = end ? (size_t)(end - s) : strlen(s);

		if (n == 2 && s[0] == '.' && s[1] == '.')
			return false;
		if (n > 255)
			return false;
		s += n;
		while (*s == '/')
			s++;
	}
	return true;
}

static int parse_name(struct parser *p, const char **name)
{
	u32 size = p->field[F_NAMESIZE];
	const char *s = (const char *)p->base + p->pos;

	if (size < 2 || size > CPIO_NAME_MAX || size > p->len - p->pos)
		return -EINVAL;
	/* The 0 is where the size says, and nowhere before. */
	if (s[size - 1] || strnlen(s, size) != size - 1)
		return -EINVAL;
	p->pos += size;
	*name = s;
	return 0;
}

/* Positions are padded to 4 bytes; at the very end of the data the padding may be missing. */
static void skip_padding(struct parser *p)
{
	p->pos = min(ALIGN_UP(p->pos, 4UL), p->len);
}

static bool checksum_fails(const struct parser *p, const struct cpio_entry *e)
{
	const u8 *s = e->data;
	u32 sum = 0;

	if (!p->checksum)
		return false;
	for (size_t i = 0; i < e->size; i++)
		sum += s[i];
	return sum != p->field[F_CHECK];
}

static bool type_is_known(const struct cpio_entry *e)
{
	switch (e->mode & 0170000) {
	case 0100000: /* regular */
		return true;
	case 0120000: /* symlink: a text that fits a path */
		return e->size > 0 && e->size < 4096 && !memchr(e->data, 0, e->size);
	case 0040000: /* directory */
	case 0020000: /* character device */
	case 0060000: /* block device */
	case 0010000: /* FIFO */
	case 0140000: /* socket */
		return e->size == 0;
	default:
		return false;
	}
}

static void fill_entry(struct parser *p, struct cpio_entry *e)
{
	const u32 *f = p->field;

	e->data = p->base + p->pos;
	e->size = f[F_FILESIZE];
	e->mode = f[F_MODE];
	e->uid = f[F_UID];
	e->gid = f[F_GID];
	e->mtime = f[F_MTIME];
	e->nlink = f[F_NLINK];
	e->ino = f[F_INO];
	e->dev_major = f[F_DEVMAJOR];
	e->dev_minor = f[F_DEVMINOR];
	e->rdev = ((u64)f[F_RDEVMINOR] & 0xff) | ((u64)(f[F_RDEVMAJOR] & 0xfff) << 8) |
		  (((u64)f[F_RDEVMINOR] & 0xfff00) << 12);
}

/* 1: that was the trailer. */
static int parse_entry(struct parser *p, const struct cpio_ops *ops, void *arg)
{
	struct cpio_entry e;
	int err;

	err = parse_header(p);
	if (!err)
		err = parse_name(p, &e.name);
	if (err)
		return err;
	skip_padding(p);
	if (p->field[F_FILESIZE] > p->len - p->pos)
		return -EINVAL;
	if (!strcmp(e.name, "TRAILER!!!")) {
		p->pos += p->field[F_FILESIZE];
		skip_padding(p);
		return 1;
	}
	fill_entry(p, &e);
	if (!name_is_safe(e.name) || !type_is_known(&e) || checksum_fails(p, &e))
		return -EINVAL;
	p->pos += e.size;
	skip_padding(p);
	return ops->entry(arg, &e);
}

/* Zeroes may separate and follow archives. */
static void skip_zeroes(struct parser *p)
{
	while (p->pos < p->len && !p->base[p->pos])
		p->pos++;
}

int cpio_parse(const void *data, size_t len, const struct cpio_ops *ops, void *arg)
{
	struct parser p = { .base = data, .len = len };
	int ret;

	skip_zeroes(&p);
	while (p.pos < len) {
		do
			ret = parse_entry(&p, ops, arg);
		while (!ret);
		if (ret < 0)
			return ret;
		skip_zeroes(&p);
	}
	return 0;
}
