/* SPDX-License-Identifier: MIT
 *
 * Random numbers that a seed repeats: Vigna's splitmix64.
 */
#ifndef USER_RANDOM_H
#define USER_RANDOM_H

#include <stdint.h>

#define RANDOM_STEP 0x9e3779b97f4a7c15

static inline uint64_t random_scramble(uint64_t n)
{
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
	n = (n ^ n >> 27) * 0x94d049bb133111eb;
	return n ^ n >> 31;
}

/* The nth number of a sequence without its predecessors. */
static inline uint64_t mix64(uint64_t n)
{
	return random_scramble(n * RANDOM_STEP);
}

/* The next number of a sequence, which any *state begins. */
static inline uint64_t next_random(uint64_t *state)
{
	return random_scramble(*state += RANDOM_STEP);
}

#endif
