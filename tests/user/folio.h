/* SPDX-License-Identifier: MIT
 *
 * What the tests of large folios share: memory in one folio of a given order, what the kernel says of its frames.
 *
 * Which orders there are is told to Linux, and to whoever else has the files, in /sys/kernel/mm/transparent_hugepage.
 * A kernel without them has the orders of its knob mthp.orders, by default 2 MiB only; a test skips what it cannot get. A
 * fault takes the largest folio that fits: of an order below 2 MiB, what a mapping of exactly that size has room for.
 */
#ifndef TESTS_USER_FOLIO_H
#define TESTS_USER_FOLIO_H

#include "lock.h"

#define MIN_ORDER 2
#define MAX_ORDER 9
#define HUGE (2 * MIB)

#define KPF_COMPOUND_HEAD (1UL << 15)
#define KPF_COMPOUND_TAIL (1UL << 16)
#define KPF_COMPOUND (KPF_COMPOUND_HEAD | KPF_COMPOUND_TAIL)
#define KPF_THP (1UL << 22)

#define THP_FILES "/sys/kernel/mm/transparent_hugepage"
#define SHMEM_ENABLED THP_FILES "/shmem_enabled"

/* All that Linux only bounds is exact there. */
static inline bool on_faultline(void)
{
	struct utsname u;

	MUST(!uname(&u));
	return strstr(u.release, "faultline");
}

/* ---- orders ---- */

static inline const char *order_file(unsigned int order, bool shared)
{
	static char path[128];

	snprintf(path, sizeof(path), THP_FILES "/hugepages-%ukB/%s", 4U << order,
		 shared ? "shmem_enabled" : "enabled");
	return path;
}

static char orders_before[2][MAX_ORDER + 1][16];
static pid_t orders_owner;

static inline void restore_orders(void)
{
	if (orders_owner != getpid())
		return;
	for (unsigned int shared = 0; shared < 2; shared++)
		for (unsigned int order = MIN_ORDER; order <= MAX_ORDER; order++)
			if (orders_before[shared][order][0])
				(void)tell(order_file(order, shared), orders_before[shared][order]);
}

/* The words of all orders come back when the process exits. */
static inline void save_orders(void)
{
	if (orders_owner == getpid())
		return;
	orders_owner = getpid();
	for (unsigned int shared = 0; shared < 2; shared++)
		for (unsigned int order = MIN_ORDER; order <= MAX_ORDER; order++)
			(void)chosen(order_file(order, shared), orders_before[shared][order],
				     sizeof(orders_before[0][0]));
	atexit(restore_orders);
}

static char shmem_enabled_before[16];

static inline void restore_shmem_enabled(void)
{
	if (orders_owner == getpid())
		(void)tell(SHMEM_ENABLED, shmem_enabled_before);
}

/* Until the process exits, for 2 MiB, too, where each size has a say. False: the kernel does not let us. */
static inline bool set_shmem_enabled(const char *word)
{
	if (!shmem_enabled_before[0]) {
		if (!chosen(SHMEM_ENABLED, shmem_enabled_before, sizeof(shmem_enabled_before)))
			return false;
		save_orders();
		atexit(restore_shmem_enabled);
	}
	(void)tell(order_file(MAX_ORDER, true), "inherit");
	return tell(SHMEM_ENABLED, word);
}

#define NO_SHMEM_ENABLED "no shmem_enabled that can be written"

/* For the rest of the test, memory with MADV_HUGEPAGE, private or shared, may have folios of all orders. */
static inline void allow_all_orders(void)
{
	save_orders();
	for (unsigned int shared = 0; shared < 2; shared++)
		for (unsigned int order = MIN_ORDER; order <= MAX_ORDER; order++)
			(void)tell(order_file(order, shared), shared ? "advise" : "madvise");
}

/* ---- memory ---- */

/* The words of pagemap for pages from p. */
static inline void pagemap_words(const char *p, size_t pages, uint64_t *words)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	MUST(pread(fd, words, pages * 8, (off_t)((unsigned long)p / PAGE * 8)) ==
	     (ssize_t)(pages * 8));
	close(fd);
}

/*
 * 2^order pages at an address that is a multiple of their size, whose first byte was written, with `around` pages free on
 * both sides. flags: MAP_PRIVATE or MAP_SHARED. NULL: they are not one folio.
 */
static inline char *one_folio_of(unsigned int order, size_t around, int flags)
{
	static uint64_t words[1UL << MAX_ORDER];
	size_t size = PAGE << order, room = around * PAGE;
	bool one = true;
	char *all = map_anon(2 * size + 2 * room, PROT_NONE), *p;

	MUST(!munmap(all, 2 * size + 2 * room));
	p = (char *)(((unsigned long)all + room + size - 1) & -size);
	MUST(mmap(p, size, RW, flags | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p);
	MUST(!madvise(p, size, MADV_HUGEPAGE));
	store(p, 1);
	pagemap_words(p, 1UL << order, words);
	for (size_t i = 0; i < 1UL << order; i++)
		one &= (words[i] & PAGEMAP_PFN) == (words[0] & PAGEMAP_PFN) + i;
	if (one && (kpageflags(p) & KPF_COMPOUND_HEAD) &&
	    (kpageflags(p + size - PAGE) & KPF_COMPOUND_TAIL))
		return p;
	munmap(p, size);
	return NULL;
}

static inline char *one_folio(unsigned int order, size_t around)
{
	return one_folio_of(order, around, MAP_PRIVATE);
}

#endif
