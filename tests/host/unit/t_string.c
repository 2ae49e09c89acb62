/* SPDX-License-Identifier: MIT
 *
 * lib/string.c, compiled under other names, against libc's functions: every length around the
 * word size, every overlap, bytes at both ends untouched.
 */
#include "t.h"

void *fl_memcpy(void *dst, const void *src, size_t n);
void *fl_memmove(void *dst, const void *src, size_t n);
void *fl_memset(void *dst, int c, size_t n);
int fl_memcmp(const void *a, const void *b, size_t n);
void *fl_memchr(const void *s, int c, size_t n);
size_t fl_strlen(const char *s);
size_t fl_strnlen(const char *s, size_t max);
int fl_strcmp(const char *a, const char *b);
int fl_strncmp(const char *a, const char *b, size_t n);
char *fl_strchr(const char *s, int c);
char *fl_strrchr(const char *s, int c);
char *fl_strstr(const char *hay, const char *needle);

#define SPAN 80

static void fill(u8 *p, size_t n, unsigned int start)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (u8)(start + i * 7);
}

static void test_memcpy(void **state)
{
	u8 src[SPAN], dst[SPAN], expect[SPAN];

	(void)state;
	fill(src, SPAN, 1);
	for (size_t n = 0; n <= 40; n++)
		for (size_t from = 0; from < 9; from++)
			for (size_t to = 0; to < 9; to++) {
				fill(dst, SPAN, 99);
				fill(expect, SPAN, 99);
				memcpy(expect + to, src + from, n);
				assert_ptr_equal(fl_memcpy(dst + to, src + from, n), dst + to);
				assert_memory_equal(dst, expect, SPAN);
			}
}

static void test_memmove(void **state)
{
	u8 buf[SPAN], expect[SPAN];

	(void)state;
	for (size_t n = 0; n <= 40; n++)
		for (size_t from = 0; from < 40; from++)
			for (size_t to = 0; to < 40; to++) {
				fill(buf, SPAN, 5);
				fill(expect, SPAN, 5);
				memmove(expect + to, expect + from, n);
				assert_ptr_equal(fl_memmove(buf + to, buf + from, n), buf + to);
				assert_memory_equal(buf, expect, SPAN);
			}
}

static void test_memset(void **state)
{
	u8 buf[SPAN], expect[SPAN];

	(void)state;
	for (size_t n = 0; n <= 40; n++)
		for (size_t to = 0; to < 9; to++)
			for (unsigned int c = 0; c < 0x300; c += 0xab) {
				fill(buf, SPAN, 5);
				fill(expect, SPAN, 5);
				memset(expect + to, (int)c, n);
				assert_ptr_equal(fl_memset(buf + to, (int)c, n), buf + to);
				assert_memory_equal(buf, expect, SPAN);
			}
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void test_memcmp(void **state)
{
	u8 a[SPAN], b[SPAN];

	(void)state;
	for (size_t n = 0; n < 40; n++)
		for (size_t at = 0; at <= n; at++) {
			fill(a, SPAN, 3);
			fill(b, SPAN, 3);
			b[at] ^= 0x80;
			assert_int_equal(sign(fl_memcmp(a, b, n)), sign(memcmp(a, b, n)));
			assert_int_equal(sign(fl_memcmp(b, a, n)), sign(memcmp(b, a, n)));
			assert_ptr_equal(fl_memchr(a, a[at], n), memchr(a, a[at], n));
		}
}

static const char *const words[] = { "",    "a",    "b",    "ab",    "abc",   "abd",
				     "aab", "aaab", "\xff", "a\x80", "banana" };

static void test_strings(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		const char *a = words[i];

		assert_int_equal(fl_strlen(a), strlen(a));
		for (size_t n = 0; n < 8; n++)
			assert_int_equal(fl_strnlen(a, n), strnlen(a, n));
		for (int c = 0; c < 256; c++) {
			assert_ptr_equal(fl_strchr(a, c), strchr(a, c));
			assert_ptr_equal(fl_strrchr(a, c), strrchr(a, c));
		}
		for (unsigned int j = 0; j < ARRAY_SIZE(words); j++) {
			const char *b = words[j];

			assert_int_equal(sign(fl_strcmp(a, b)), sign(strcmp(a, b)));
			for (size_t n = 0; n < 5; n++)
				assert_int_equal(sign(fl_strncmp(a, b, n)), sign(strncmp(a, b, n)));
			assert_ptr_equal(fl_strstr(a, b), strstr(a, b));
		}
	}
}

static void test_strscpy(void **state)
{
	char buf[8];

	(void)state;
	assert_int_equal(strscpy(buf, "abc", sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(strscpy(buf, "1234567", sizeof(buf)), 7);
	assert_string_equal(buf, "1234567");
	assert_int_equal(strscpy(buf, "12345678", sizeof(buf)), -E2BIG);
	assert_string_equal(buf, "1234567");
	assert_int_equal(strscpy(buf, "x", 1), -E2BIG);
	assert_string_equal(buf, "");
	assert_int_equal(strscpy(buf, "x", 0), -E2BIG);
}

static void test_kstrtoul(void **state)
{
	static const struct {
		const char *text;
		unsigned int base;
		int err;
		unsigned long value;
	} rows[] = {
		{ "0", 0, 0, 0 },
		{ "42", 0, 0, 42 },
		{ "0x2A", 0, 0, 42 },
		{ "0X2a", 16, 0, 42 },
		{ "2a", 16, 0, 42 },
		{ "052", 0, 0, 42 },
		{ "18446744073709551615", 10, 0, ~0UL },
		{ "18446744073709551616", 10, -ERANGE, 0 },
		{ "0xffffffffffffffff", 0, 0, ~0UL },
		{ "0x10000000000000000", 0, -ERANGE, 0 },
		{ "", 0, -EINVAL, 0 },
		{ "0x", 0, -EINVAL, 0 },
		{ "12 ", 0, -EINVAL, 0 },
		{ "-1", 0, -EINVAL, 0 },
		{ "08", 0, -EINVAL, 0 },
		{ "1g", 16, -EINVAL, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned long v = 77;

		assert_int_equal(kstrtoul(rows[i].text, rows[i].base, &v), rows[i].err);
		assert_int_equal(v, rows[i].err ? 77 : rows[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memcpy),	 cmocka_unit_test(test_memmove),
		cmocka_unit_test(test_memset),	 cmocka_unit_test(test_memcmp),
		cmocka_unit_test(test_strings),	 cmocka_unit_test(test_strscpy),
		cmocka_unit_test(test_kstrtoul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
