/* SPDX-License-Identifier: MIT
 *
 * Free memory in blocks of 2 MiB.
 */
#ifndef TESTS_USER_BLOCKS_H
#define TESTS_USER_BLOCKS_H

#include "test.h"

#define BLOCK_ORDER 9

/* How many there are, those in larger blocks included. */
static inline long large_blocks(void)
{
	char *text = slurp("/proc/buddyinfo");
	long sum = 0;

	MUST(text);
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		char *at = strstr(line, "zone");

		MUST(at && strchr(line, '\n'));
		at += strcspn(at, " ");
		at += strspn(at, " ");
		at += strcspn(at, " ");
		for (int order = 0; *at && *at != '\n'; order++) {
			long n = strtol(at, &at, 10);

			if (order >= BLOCK_ORDER)
				sum += n << (order - BLOCK_ORDER);
			at += strspn(at, " ");
		}
	}
	return sum;
}

#endif
