/* SPDX-License-Identifier: MIT
 *
 * What a write has still to copy: of the caller's vector, or of kernel memory.
 */
#ifndef FS_CURSOR_H
#define FS_CURSOR_H

#include <arch/uaccess.h>
#include <kern/string.h>
#include <kern/types.h>
#include <uapi/uio.h>

struct cursor {
	const struct iovec *iov;
	unsigned int nr;
	size_t off;	    /* in iov[0] */
	size_t left;	    /* in all */
	const char *kernel; /* instead of iov */
};

/* Copies the next n bytes, of c->left at least. Fewer when the caller's memory faults. */
static inline size_t cursor_copy(struct cursor *c, char *dst, size_t n)
{
	size_t done = 0;

	if (!c->iov) {
		memcpy(dst, c->kernel, n);
		c->kernel += n;
		c->left -= n;
		return n;
	}
	while (done < n) {
		size_t len = min(n - done, c->iov->iov_len - c->off), fault;

		if (len) {
			fault = copy_from_user(dst + done, (char __user *)c->iov->iov_base + c->off,
					       len);
			len -= fault;
			done += len;
			c->off += len;
			c->left -= len;
			if (fault)
				break;
		}
		if (c->off == c->iov->iov_len && c->nr > 1) {
			c->iov++;
			c->nr--;
			c->off = 0;
		}
	}
	return done;
}

static inline struct cursor cursor_of(const struct iovec *iov, unsigned int nr)
{
	struct cursor c = { .iov = iov, .nr = nr };

	for (unsigned int i = 0; i < nr; i++)
		c.left += iov[i].iov_len;
	return c;
}

#endif
