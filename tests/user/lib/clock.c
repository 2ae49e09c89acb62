/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "clock.h"

#include <errno.h>

#include "check.h"

void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	MUST(!clock_gettime(clock, &ts));
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}
