/* SPDX-License-Identifier: MIT
 *
 * Strings and blocks of memory.
 *
 * Blocks move eight bytes at a time by the string instructions; what is left over is one more
 * word that overlaps the last whole one, loaded before anything is stored, so that it is also
 * right for memmove. The loops are written as assembly because the compiler may turn a C loop
 * back into a call of memcpy.
 */
#include <kern/err.h>
#include <kern/string.h>

typedef u64 __attribute__((may_alias, aligned(1))) any_u64;
typedef u32 __attribute__((may_alias, aligned(1))) any_u32;
typedef u16 __attribute__((may_alias, aligned(1))) any_u16;

/* n < 8. Everything is loaded before anything is stored. */
static inline void copy_small(u8 *d, const u8 *s, size_t n)
{
	if (n >= 4) {
		u32 head = *(const any_u32 *)s, tail = *(const any_u32 *)(s + n - 4);

		*(any_u32 *)d = head;
		*(any_u32 *)(d + n - 4) = tail;
	} else if (n >= 2) {
		u16 head = *(const any_u16 *)s, tail = *(const any_u16 *)(s + n - 2);

		*(any_u16 *)d = head;
		*(any_u16 *)(d + n - 2) = tail;
	} else if (n) {
		*d = *s;
	}
}

/* From the lowest address up: right for overlapping blocks too when dst < src. n >= 8. */
static inline void copy_up(u8 *d, const u8 *s, size_t n)
{
	u64 tail = *(const any_u64 *)(s + n - 8);
	u8 *end = d + n - 8;
	size_t words = n / 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
	*(any_u64 *)end = tail;
}

/* From the highest address down. n >= 8. */
static inline void copy_down(u8 *d, const u8 *s, size_t n)
{
	u64 head = *(const any_u64 *)s;
	u8 *d_last = d + n - 8;
	const u8 *s_last = s + n - 8;
	size_t words = n / 8;

	__asm__ volatile("std; rep movsq; cld"
			 : "+D"(d_last), "+S"(s_last), "+c"(words)
			 :
			 : "memory");
	*(any_u64 *)d = head;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	if (n < 8)
		copy_small(dst, src, n);
	else
		copy_up(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	if (n < 8)
		copy_small(dst, src, n);
	else if ((unsigned long)dst - (unsigned long)src >= n)
		copy_up(dst, src, n);
	else
		copy_down(dst, src, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	u64 word = (u8)c * 0x0101010101010101UL;
	u8 *d = dst;
	u8 *end = d + n;
	size_t words = n / 8;

	if (n >= 8) {
		__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(word) : "memory");
		*(any_u64 *)(end - 8) = word;
	} else if (n >= 4) {
		*(any_u32 *)d = (u32)word;
		*(any_u32 *)(end - 4) = (u32)word;
	} else if (n >= 2) {
		*(any_u16 *)d = (u16)word;
		*(any_u16 *)(end - 2) = (u16)word;
	} else if (n) {
		*d = (u8)c;
	}
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n >= 8 && *(const any_u64 *)p == *(const any_u64 *)q; n -= 8) {
		p += 8;
		q += 8;
	}
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	for (const u8 *p = s; n; n--, p++)
		if (*p == (u8)c)
			return (void *)p;
	return NULL;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, ~0UL);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (u8)*a - (u8)*b;
		if (!*a)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, ~0UL);
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	do {
		if (*s == (char)c)
			found = s;
	} while (*s++);
	return (char *)found;
}

char *strstr(const char *hay, const char *needle)
{
	size_t n = strlen(needle);

	for (;; hay++) {
		if (strncmp(hay, needle, n) == 0)
			return (char *)hay;
		if (!*hay)
			return NULL;
	}
}

ssize_t strscpy(char *dst, const char *src, size_t size)
{
	size_t n;

	if (size == 0)
		return -E2BIG;
	n = strnlen(src, size);
	if (n == size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = 0;
		return -E2BIG;
	}
	memcpy(dst, src, n + 1);
	return (ssize_t)n;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

int kstrtoul(const char *s, unsigned int base, unsigned long *out)
{
	unsigned long value = 0;

	if (base == 0)
		base = s[0] != '0' ? 10 : (s[1] | 0x20) == 'x' ? 16 : 8;
	if (base == 16 && s[0] == '0' && (s[1] | 0x20) == 'x')
		s += 2;
	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned int digit = (unsigned int)digit_value(*s);

		if (digit >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(value, (unsigned long)base, &value) ||
		    __builtin_add_overflow(value, (unsigned long)digit, &value))
			return -ERANGE;
	}
	*out = value;
	return 0;
}
