/* SPDX-License-Identifier: MIT
 *
 * A file with a disk behind it: on Linux one in /var/tmp, here the first disk.
 */
#ifndef TESTS_USER_STORE_H
#define TESTS_USER_STORE_H

#include "test.h"

#define FILE_SIZE (16 * MIB)
#define PAGES (FILE_SIZE / PAGE)

static bool on_disk;

/* The disk, or a new file; every page holds its number. */
static inline int open_store(void)
{
	static unsigned long page[PAGE / sizeof(unsigned long)];
	char path[] = "/var/tmp/pagecache.XXXXXX";
	int fd = open("/dev/vda", O_RDWR | O_CLOEXEC);
	struct stat st;

	on_disk = fd >= 0 && !fstat(fd, &st) && S_ISBLK(st.st_mode) &&
		  access("/proc/lock_stat", F_OK) == 0;
	if (!on_disk) {
		if (fd >= 0)
			close(fd);
		if (access("/var/tmp", W_OK))
			return -1;
		fd = mkstemp(path);
		MUST(fd >= 0);
		MUST(!unlink(path));
	}
	for (unsigned long i = 0; i < PAGES; i++) {
		for (unsigned long w = 0; w < PAGE / sizeof(page[0]); w++)
			page[w] = i;
		MUST(pwrite(fd, page, PAGE, (off_t)(i * PAGE)) == PAGE);
	}
	MUST(!fsync(fd));
	return fd;
}

#define OPEN_STORE(fd)                                                                             \
	int fd = open_store();                                                                     \
	if (fd < 0)                                                                                \
	SKIP("no disk and no /var/tmp")

static inline char *map_store(int fd, int prot, int flags)
{
	char *p = mmap(NULL, FILE_SIZE, prot, flags, fd, 0);

	MUST(p != MAP_FAILED);
	return p;
}

static inline unsigned long word(const char *p, unsigned long page)
{
	return *(const volatile unsigned long *)(p + page * PAGE);
}

#endif
