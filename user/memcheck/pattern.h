/* SPDX-License-Identifier: MIT
 *
 * What a page holds: each word of each page of each pass differs, so that a page that was lost, exchanged, or kept from
 * before is seen, and said to be that.
 */
#ifndef MEMCHECK_PATTERN_H
#define MEMCHECK_PATTERN_H

#include "../tool.h"
#include <stdbool.h>

#define WORDS (PAGE / 8)
#define STEP 0x9e3779b97f4a7c15

struct pattern {
	uint64_t seed;
	unsigned int owner; /* the process, or the holder */
};

static inline uint64_t page_key(const struct pattern *p, unsigned int pass, uint64_t page)
{
	return mix64(p->seed + ((uint64_t)p->owner << 56 | (uint64_t)pass << 40) + page);
}

static inline void page_fill(uint64_t *words, uint64_t key)
{
	for (size_t i = 0; i < WORDS; i++)
		words[i] = key + i * STEP;
}

/* The first wrong word's number; WORDS when all are right. */
static inline size_t page_wrong(const uint64_t *words, uint64_t key)
{
	uint64_t differs = 0;
	size_t i = 0;

	for (size_t n = 0; n < WORDS; n++)
		differs |= words[n] ^ (key + n * STEP);
	if (!differs)
		return WORDS;
	while (words[i] == key + i * STEP)
		i++;
	return i;
}

/* In words: what a page that is wrong seems to be instead. */
static inline const char *page_story(const struct pattern *p, const uint64_t *words,
				     unsigned int pass, uint64_t page, uint64_t pages)
{
	uint64_t base = words[1] - STEP;
	bool zero = true;

	for (size_t i = 0; i < WORDS; i++)
		zero &= words[i] == 0;
	if (zero)
		return "the page is all zeroes";
	if (pass && page_wrong(words, page_key(p, pass - 1, page)) == WORDS)
		return "the page is what the pass before wrote";
	for (uint64_t other = 0; other < pages; other++)
		if (base == page_key(p, pass, other))
			return other == page ? "a part of the page is wrong"
					     : "another page's contents";
	return "the page is nothing that was written";
}

/* Says which byte is wrong. address: where it was seen. */
static inline void page_report(const struct pattern *p, const uint64_t *words, unsigned int pass,
			       uint64_t page, uint64_t pages)
{
	uint64_t key = page_key(p, pass, page), want;
	size_t word = page_wrong(words, key), byte = 0;

	want = key + word * STEP;
	while (byte < 7 && (uint8_t)(want >> 8 * byte) == (uint8_t)(words[word] >> 8 * byte))
		byte++;
	printf("memcheck: process %u pass %u page %lu: wrong byte at %p: expected 0x%02x, got 0x%02x "
	       "(word 0x%016lx, 0x%016lx): %s\n",
	       p->owner, pass, page, (const char *)&words[word] + byte,
	       (unsigned int)(uint8_t)(want >> 8 * byte),
	       (unsigned int)(uint8_t)(words[word] >> 8 * byte), want, words[word],
	       page_story(p, words, pass, page, pages));
	fflush(stdout);
}

/* The nth page in an order that meets each of them once. */
static inline uint64_t shuffled(uint64_t n, uint64_t pages, uint64_t seed)
{
	uint64_t bits = 2, mask, x = n;

	while (1UL << bits < pages)
		bits++;
	mask = (1UL << bits) - 1;
	do { /* a permutation of [0, 2^bits), walked until it lands inside */
		x = (x * ((mix64(seed) & mask) | 1) + mix64(seed + 1)) & mask;
		x ^= x >> (bits / 2);
		x = (x * 0x2545f4914f6cdd1d + 1) & mask;
	} while (x >= pages);
	return x;
}

#endif
