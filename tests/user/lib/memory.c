/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "memory.h"

#include <sys/resource.h>

#include "check.h"
#include "../../../user/compat.h"

char *map_anon(size_t len, int prot)
{
	char *p = mmap(NULL, len, prot, ANON, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

char *free_area(size_t pages)
{
	char *p = map_anon(3 * pages * PAGE, PROT_NONE);

	MUST(!munmap(p, 3 * pages * PAGE));
	return p + pages * PAGE;
}

char *map_at(void *at, size_t len, int prot)
{
	char *p = mmap(at, len, prot, ANON | MAP_FIXED_NOREPLACE, -1, 0);

	MUST(p == at);
	return p;
}

long resident(void *p, size_t len)
{
	static unsigned char vec[65536];
	long n = 0;

	MUST(len / PAGE <= sizeof(vec));
	if (mincore(p, len, vec))
		return -1;
	for (size_t i = 0; i < (len + PAGE - 1) / PAGE; i++)
		n += vec[i] & 1;
	return n;
}

long minor_faults(void)
{
	struct rusage ru;

	MUST(!getrusage(RUSAGE_SELF, &ru));
	return ru.ru_minflt;
}
