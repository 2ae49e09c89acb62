/* SPDX-License-Identifier: MIT
 *
 * Time.
 */
#ifndef TESTS_USER_LIB_CLOCK_H
#define TESTS_USER_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Sleeps that long, whatever signals come. */
void sleep_ms(long ms);

int64_t now_ns(clockid_t clock);

#endif
