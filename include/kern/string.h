/* SPDX-License-Identifier: MIT */
#ifndef KERN_STRING_H
#define KERN_STRING_H

#include <kern/types.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);
/* Copies at most size-1 bytes and always ends the string. Returns the length copied, or -E2BIG when cut. */
ssize_t strscpy(char *dst, const char *src, size_t size);
/* Reads an unsigned number (base 0: 0x, 0 or decimal). 0, -EINVAL or -ERANGE. The whole string must be it. */
int kstrtoul(const char *s, unsigned int base, unsigned long *out);

#endif
