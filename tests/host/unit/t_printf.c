/* SPDX-License-Identifier: MIT
 *
 * lib/printf.c, compiled under other names, against libc's for every conversion, flag, width and
 * precision that both have.
 */
#include "t.h"

int fl_snprintf(char *buf, size_t size, const char *fmt, ...);

static char ours[256], theirs[256];

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

#define COMPARE(fmt, ...)                                                                          \
	do {                                                                                       \
		int a_ = fl_snprintf(ours, sizeof(ours), fmt, __VA_ARGS__);                        \
		int b_ = (snprintf)(theirs, sizeof(theirs), fmt, __VA_ARGS__);                     \
		if (a_ != b_ || strcmp(ours, theirs) != 0)                                         \
			fail_msg("format %s: \"%s\" (%d), should be \"%s\" (%d)", fmt, ours, a_,   \
				 theirs, b_);                                                      \
	} while (0)

static void test_integers(void **state)
{
	static const char *const flags[] = { "", "-", "0", "+", " ", "#", "-#", "0#", "+0", "- " };
	static const char *const widths[] = {
		"", "1", "5", "20", "5.0", "5.3", ".0", ".7", "12.7"
	};
	static const long values[] = { 0,
				       1,
				       -1,
				       7,
				       8,
				       255,
				       65535,
				       -32768,
				       2147483647,
				       -2147483648L,
				       4294967295L,
				       9223372036854775807L,
				       -9223372036854775807L - 1 };
	static const char convs[] = "diuxXo";

	(void)state;
	for (unsigned int f = 0; f < ARRAY_SIZE(flags); f++)
		for (unsigned int w = 0; w < ARRAY_SIZE(widths); w++)
			for (unsigned int v = 0; v < ARRAY_SIZE(values); v++)
				for (const char *c = convs; *c; c++) {
					char fmt[32];

					(snprintf)(fmt, sizeof(fmt), "<%%%s%s%c>", flags[f],
						   widths[w], *c);
					COMPARE(fmt, (int)values[v]);
					(snprintf)(fmt, sizeof(fmt), "<%%%s%sl%c>", flags[f],
						   widths[w], *c);
					COMPARE(fmt, values[v]);
					(snprintf)(fmt, sizeof(fmt), "<%%%s%sll%c>", flags[f],
						   widths[w], *c);
					COMPARE(fmt, (long long)values[v]);
					(snprintf)(fmt, sizeof(fmt), "<%%%s%sz%c>", flags[f],
						   widths[w], *c);
					COMPARE(fmt, (size_t)values[v]);
					(snprintf)(fmt, sizeof(fmt), "<%%%s%sh%c>", flags[f],
						   widths[w], *c);
					COMPARE(fmt, (int)(short)values[v]);
					(snprintf)(fmt, sizeof(fmt), "<%%%s%shh%c>", flags[f],
						   widths[w], *c);
					COMPARE(fmt, (int)(signed char)values[v]);
				}
}

static void test_text(void **state)
{
	(void)state;
	COMPARE("%s|%5s|%-5s|%.2s|%-6.3s|", "abc", "de", "fg", "hij", "klmno");
	COMPARE("%c%5c%-5cx", 'a', 'b', 'c');
	COMPARE("100%% %s", "sure");
	COMPARE("%*d|%-*d|%.*d|%*.*s", 6, 42, 6, 42, 4, 42, 8, 3, "abcdef");
	COMPARE("%*d|%.*d", -6, 42, -1, 42);
	COMPARE("%p", (void *)0x1234abcd);
}

static void test_truncation(void **state)
{
	char buf[8];

	(void)state;
	memset(buf, 'z', sizeof(buf));
	assert_int_equal(fl_snprintf(buf, 4, "%d", 123456), 6);
	assert_string_equal(buf, "123");
	assert_int_equal(buf[4], 'z');
	assert_int_equal(fl_snprintf(NULL, 0, "%s", "hello"), 5);
	assert_int_equal(scnprintf(buf, 4, "%s", "hello"), 3);
	assert_int_equal(scnprintf(buf, 8, "%s", "hello"), 5);
	assert_int_equal(scnprintf(buf, 0, "%s", "hello"), 0);
}

static void test_odd_input(void **state)
{
	(void)state;
	assert_int_equal(fl_snprintf(ours, sizeof(ours), "%s", (char *)NULL), 6);
	assert_string_equal(ours, "(null)");
	fl_snprintf(ours, sizeof(ours), "%p", NULL);
	assert_string_equal(ours, "0x0");
	fl_snprintf(ours, sizeof(ours), "a%");
	assert_string_equal(ours, "a%");
	fl_snprintf(ours, sizeof(ours), "%y!");
	assert_string_equal(ours, "%y!");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_odd_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
