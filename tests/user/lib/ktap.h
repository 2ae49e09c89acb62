/* SPDX-License-Identifier: MIT
 *
 * The list of a program's tests, and their results as KTAP on standard output.
 *
 *	TEST(hint_is_honoured, "a free page-aligned hint is where the mapping goes")
 *	{
 *		CHECK_EQ(x, y);
 *	}
 *
 *	TEST_MAIN()
 */
#ifndef TESTS_USER_LIB_KTAP_H
#define TESTS_USER_LIB_KTAP_H

#include <stdbool.h>

#define TEST(id, desc) TEST_(id, desc, false)
/* The body runs in a child, for what changes the process for good (limits, ids, chroot). */
#define FORKED_TEST(id, desc) TEST_(id, desc, true)

/* Puts a test at the end of the list; the program ends when there are too many. */
void test_register(const char *name, void (*fn)(void), bool forked);

/* Runs them all in order; main()'s result: 0 when every one passed, else 1. */
int run_tests(void);

#define TEST_(id, desc, in_child)                                                                  \
	static void test_##id(void);                                                               \
	__attribute__((constructor)) static void register_##id(void)                               \
	{                                                                                          \
		test_register(desc, test_##id, in_child);                                          \
	}                                                                                          \
	static void test_##id(void)

#define TEST_MAIN()                                                                                \
	int main(void)                                                                             \
	{                                                                                          \
		return run_tests();                                                                \
	}

#endif
