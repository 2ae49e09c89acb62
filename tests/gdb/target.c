/* SPDX-License-Identifier: MIT
 *
 * Something to look at from gdb: mappings of several kinds at known places. Prints what /proc says of them, then calls
 * getpgid(), where tests/test_gdb.py has a breakpoint.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096UL
#define AREA ((char *)0x10000000)
#define HUGE ((char *)0x20000000)
#define HUGE_SIZE (2UL << 20)

static void show(const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	printf("== %s\n", path);
	fflush(stdout);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(1, buf, (size_t)n) != n)
			exit(1);
	close(fd);
}

/* "0xADDRESS pagemap ENTRY" */
static void show_entry(const char *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)p / PAGE * 8)) != sizeof(entry))
		exit(1);
	close(fd);
	printf("%p pagemap %#lx\n", (void *)p, (unsigned long)entry);
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

static char *map(size_t at, size_t pages, int prot, int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *p = mmap(AREA + at * PAGE, pages * PAGE, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

int main(void)
{
	char *anon = map(0, 16, PROT_READ | PROT_WRITE, -1), *locked = map(32, 4, PROT_READ, -1);
	char *lazy = map(48, 4, PROT_READ | PROT_WRITE, -1), *none = map(64, 2, PROT_NONE, -1),
	     *shared;
	int fd = memfd_create("target", 0);
	pthread_t thread;

	if (ftruncate(fd, 2 * PAGE) || pthread_create(&thread, NULL, sleeper, NULL))
		return 1;
	shared = map(80, 2, PROT_READ | PROT_WRITE, fd);
	memset(shared, 1, PAGE);
	anon[0] = 1;
	anon[5 * PAGE] = 1;
	mlock(locked, 4 * PAGE);
	syscall(SYS_mlock2, lazy, 4 * PAGE, 1);
	mprotect(anon + 5 * PAGE, PAGE, PROT_NONE);
	mmap(HUGE, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	     0);
	madvise(HUGE, HUGE_SIZE, MADV_HUGEPAGE);
	HUGE[0] = 1;
	usleep(100000); /* the thread sleeps */
	show("/proc/self/maps");
	show("/proc/vmstat");
	puts("== pages");
	show_entry(anon);
	show_entry(anon + 5 * PAGE);
	show_entry(locked);
	show_entry(shared);
	show_entry(lazy);
	show_entry(none);
	show_entry(HUGE + 5 * PAGE);
	printf("pid %d\n", getpid());
	fflush(stdout);
	getpgid(0);
	return munmap(none, PAGE);
}
