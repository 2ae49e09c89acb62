/* SPDX-License-Identifier: MIT
 *
 * The file of random data: what it holds, making it, and getting it into memory or out of it.
 */
#ifndef LOCKBENCH_FILE_H
#define LOCKBENCH_FILE_H

#include "../tool.h"
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CHUNK MIB

#ifndef BLKFLSBUF
#define BLKFLSBUF _IO(0x12, 97)
#define BLKGETSIZE64 _IOR(0x12, 114, size_t)
#endif

struct data_file {
	const char *path;
	int fd;
	uint64_t size; /* bytes that are used, a multiple of PAGE */
	uint64_t seed;
	bool is_device;
};

/* The nth word of the file. */
static inline uint64_t file_word(const struct data_file *f, uint64_t n)
{
	return mix64(f->seed + n);
}

/* Opens it; a size of 0 becomes the file's own, and a larger one is cut to it. */
static void file_open(struct data_file *f, int flags)
{
	struct stat st;
	uint64_t there;

	f->fd = open(f->path, flags | O_CLOEXEC, 0600);
	if (f->fd < 0 || fstat(f->fd, &st))
		die(f->path);
	f->is_device = S_ISBLK(st.st_mode);
	there = (uint64_t)st.st_size;
	if (f->is_device && ioctl(f->fd, BLKGETSIZE64, &there))
		die(f->path);
	if (!(flags & O_CREAT) || f->is_device)
		f->size = f->size && f->size < there ? f->size : there;
	f->size -= f->size % PAGE;
	if (!f->size) {
		fprintf(stderr, "lockbench: %s: no size; make it with --make --size\n", f->path);
		exit(2);
	}
}

static void file_make(struct data_file *f)
{
	static uint64_t chunk[CHUNK / 8];

	file_open(f, O_RDWR | O_CREAT);
	if (!f->is_device && ftruncate(f->fd, (off_t)f->size))
		die(f->path);
	for (uint64_t at = 0; at < f->size; at += CHUNK) {
		size_t bytes = f->size - at < CHUNK ? f->size - at : CHUNK;

		for (size_t i = 0; i < bytes / 8; i++)
			chunk[i] = file_word(f, at / 8 + i);
		if (pwrite(f->fd, chunk, bytes, (off_t)at) != (ssize_t)bytes)
			die(f->path);
	}
	if (fsync(f->fd))
		die(f->path);
}

static void file_warm(const struct data_file *f)
{
	static char chunk[CHUNK];

	for (uint64_t at = 0; at < f->size; at += CHUNK)
		if (pread(f->fd, chunk, CHUNK, (off_t)at) < 0)
			die(f->path);
}

/* Every way that may work is tried; how much is still in memory afterwards is among the results. */
static void file_cool(const struct data_file *f)
{
	fsync(f->fd);
	if (f->is_device)
		ioctl(f->fd, BLKFLSBUF, 0);
	else
		posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
	write_text("/proc/sys/vm/drop_caches", "1");
}

/* Pages of the file in memory. */
static uint64_t file_cached(const struct data_file *f)
{
	uint64_t pages = f->size / PAGE, cached = 0;
	char *map = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
	unsigned char in_core[4096];

	if (map == MAP_FAILED)
		die("mmap");
	for (uint64_t at = 0; at < pages; at += sizeof(in_core)) {
		size_t n = pages - at < sizeof(in_core) ? pages - at : sizeof(in_core);

		if (mincore(map + at * PAGE, n * PAGE, in_core))
			die("mincore");
		for (size_t i = 0; i < n; i++)
			cached += in_core[i] & 1;
	}
	munmap(map, f->size);
	return cached;
}

#endif
