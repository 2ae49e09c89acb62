// SPDX-License-Identifier: MIT
/*
 * filefolios: what large folios of a disk's page cache save and what they cost (knob readahead.order).
 *
 *	case cold.read, cold.fault	the disk is read in order by pread of 4 KiB, or as it is mapped, when nothing is cached: a
 *			page. The least of 16 pieces, for the clock goes on while the disk is waited for
 *	case read.4k, read.64k	the cached disk is read in order by pread of so many bytes, a page of 4 KiB
 *	case fault	it is mapped, and a byte of each page read, in order
 *	case populate	it is mapped with MAP_POPULATE
 *	case mlock, munlock, munmap
 *	case write	a byte of each page is written, through a mapping
 *	case sync	msync afterwards, without the time that the disk takes
 *	case drop	BLKFLSBUF: the cache is emptied
 *	case sparse.kib	one byte in 2 MiB is written: KiB that reach the disk for each
 *
 * in ticks of the time-stamp counter, in the format of mmbench: guest instructions under QEMU's -icount. The disk is
 * /dev/vda; bytes of it are written with what they are.
 */
#define _GNU_SOURCE
#include "mmbench/bench.h"

#include <sys/ioctl.h>
#include <sys/mount.h>

#define LEN (32 * MIB)
#define PAGES (LEN / PAGE)
#define HUGE (2 * MIB)

static int disk;

static void case_of(const char *name, double value)
{
	printf("case %s median %.1f mean %.1f n 1\n", name, value, value);
	fflush(stdout);
}

/* Of the statement, for each page. */
#define PER_PAGE(name, statement)                                                                  \
	do {                                                                                       \
		uint64_t t_ = tsc();                                                               \
		statement;                                                                         \
		case_of(name, (double)(tsc() - t_) / (double)PAGES);                               \
	} while (0)

static void read_piece(size_t pos, size_t len, size_t chunk)
{
	static char buffer[64 * 1024];

	for (size_t end = pos + len; pos < end; pos += chunk)
		MUST(pread(disk, buffer, chunk, (off_t)pos) == (ssize_t)chunk);
}

static void read_all(size_t chunk)
{
	read_piece(0, LEN, chunk);
}

static void read_mapped(volatile char *p, size_t len)
{
	for (size_t pos = 0; pos < len; pos += PAGE)
		(void)p[pos];
}

static void write_all(volatile char *p, size_t step)
{
	for (size_t pos = 0; pos < LEN; pos += step)
		p[pos] = p[pos];
}

static char *map_disk(int flags)
{
	return map_file(disk, LEN, RW, MAP_SHARED | flags);
}

/* Sectors of the disk that were written since it was there. */
static unsigned long sectors_written(void)
{
	FILE *f = fopen("/proc/diskstats", "re");
	unsigned long sectors = 0;

	MUST(f && fscanf(f, "%*u %*u vda %*u %*u %*u %*u %*u %*u %lu", &sectors) == 1);
	fclose(f);
	return sectors;
}

static void sparse(void)
{
	char *p = map_disk(0);
	unsigned long before = sectors_written();

	write_all(p, HUGE);
	MUST(!msync(p, LEN, MS_SYNC));
	case_of("sparse.kib", (double)(sectors_written() - before) / 2 / (LEN / HUGE));
	munmap(p, LEN);
}

/* p: where it is mapped, or NULL: by pread. */
static void cold(const char *name, char *p)
{
	uint64_t least = UINT64_MAX;

	MUST(!ioctl(disk, BLKFLSBUF, 0));
	for (size_t pos = 0; pos < LEN; pos += HUGE) {
		uint64_t start = tsc(), ticks;

		if (p)
			read_mapped(p + pos, HUGE);
		else
			read_piece(pos, HUGE, PAGE);
		ticks = tsc() - start;
		least = ticks < least ? ticks : least;
	}
	case_of(name, (double)least / (HUGE / PAGE));
}

int main(int argc, char **argv)
{
	char *p;

	if (argc > 1) {
		puts("usage: filefolios [--help]\n"
		     "Reads, maps, locks, writes and syncs 32 MiB of /dev/vda, which keeps what is on it.\n"
		     "Figures are guest instructions a page under QEMU's -icount, cycles elsewhere.");
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	disk = open("/dev/vda", O_RDWR | O_CLOEXEC);
	MUST(disk >= 0 && lseek(disk, 0, SEEK_END) >= (off_t)LEN);
	cold("cold.read", NULL);
	p = map_disk(0);
	cold("cold.fault", p);
	munmap(p, LEN);
	PER_PAGE("read.4k", read_all(PAGE));
	PER_PAGE("read.64k", read_all(64 * 1024));
	p = map_disk(0);
	PER_PAGE("fault", read_mapped(p, LEN));
	PER_PAGE("mlock", MUST(!mlock(p, LEN)));
	PER_PAGE("munlock", MUST(!munlock(p, LEN)));
	PER_PAGE("munmap", munmap(p, LEN));
	PER_PAGE("populate", p = map_disk(MAP_POPULATE));
	munmap(p, LEN);
	p = map_disk(0);
	PER_PAGE("write", write_all(p, PAGE));
	PER_PAGE("sync", MUST(!msync(p, LEN, MS_ASYNC) &&
			      !sync_file_range(disk, 0, LEN, SYNC_FILE_RANGE_WRITE)));
	MUST(!fsync(disk));
	munmap(p, LEN);
	sparse();
	PER_PAGE("drop", MUST(!ioctl(disk, BLKFLSBUF, 0)));
	return 0;
}
