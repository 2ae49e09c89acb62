/* SPDX-License-Identifier: MIT
 *
 * Set-up that must hold (MUST) and behaviour that is looked at (CHECK*), each with what it saw.
 */
#ifndef TESTS_USER_LIB_CHECK_H
#define TESTS_USER_LIB_CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

extern int test_failures; /* failed checks of the test that runs now */
extern bool test_skipped; /* ... said SKIP() */

/* A line or more of up to 1023 bytes to standard output, without a buffer that a fork would copy. */
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);

/* Ends the program: nothing that follows would mean anything. */
__attribute__((format(printf, 1, 2), noreturn)) void bail_out(const char *fmt, ...);

/* Set-up: must hold, or nothing that follows means anything. */
#define MUST(expr)                                                                                 \
	do {                                                                                       \
		if (!(expr))                                                                       \
			bail_out("%s:%d: %s (errno %d %s)", __FILE__, __LINE__, #expr, errno,      \
				 strerror(errno));                                                 \
	} while (0)

#define FAIL(fmt, ...)                                                                             \
	do {                                                                                       \
		test_failures++;                                                                   \
		say("# %s:%d: " fmt "\n", __FILE__, __LINE__, ##__VA_ARGS__);                      \
	} while (0)

#define CHECK(expr)                                                                                \
	do {                                                                                       \
		if (!(expr))                                                                       \
			FAIL("false: %s", #expr);                                                  \
	} while (0)

/* Equal as 64-bit integers or pointers. */
#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long got_ = (long)(got), want_ = (long)(want);                                     \
		if (got_ != want_)                                                                 \
			FAIL("%s is %ld (%#lx), want %s = %ld (%#lx)", #got, got_, got_, #want,    \
			     want_, want_);                                                        \
	} while (0)

/* lo <= got <= hi */
#define CHECK_RANGE(got, lo, hi)                                                                   \
	do {                                                                                       \
		long got_ = (long)(got), lo_ = (long)(lo), hi_ = (long)(hi);                       \
		if (got_ < lo_ || got_ > hi_)                                                      \
			FAIL("%s is %ld, want %ld to %ld", #got, got_, lo_, hi_);                  \
	} while (0)

/* A libc call that must fail with this errno. */
#define CHECK_ERR(call, want)                                                                      \
	do {                                                                                       \
		errno = 0;                                                                         \
		long got_ = (long)(call);                                                          \
		int e_ = errno;                                                                    \
		if (got_ != -1 || e_ != (want))                                                    \
			FAIL("%s is %ld errno %d (%s), want errno %d (%s)", #call, got_, e_,       \
			     strerror(e_), (want), strerror(want));                                \
	} while (0)

/* A libc call that must succeed (is not -1). */
#define CHECK_OK(call)                                                                             \
	do {                                                                                       \
		if ((long)(call) == -1)                                                            \
			FAIL("%s fails with errno %d (%s)", #call, errno, strerror(errno));        \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (strcmp(got_, want_))                                                           \
			FAIL("%s is \"%s\", want \"%s\"", #got, got_, want_);                      \
	} while (0)

/* Only for what the machine lacks (a CPU feature); never for what the kernel lacks. */
#define SKIP(reason)                                                                               \
	do {                                                                                       \
		say("# skipped: %s\n", reason);                                                    \
		test_skipped = true;                                                               \
		return;                                                                            \
	} while (0)

#endif
