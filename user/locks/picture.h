/* SPDX-License-Identifier: MIT
 *
 * Pages as characters. A cell is a page, or as many as it takes for the bar to fit: a mapping has one lock, so
 * what can differ inside a cell is which pages are there.
 */
#ifndef USER_LOCKS_PICTURE_H
#define USER_LOCKS_PICTURE_H

#include "space.h"

static bool coloured;

static const struct glyph {
	char c;
	const char *colour, *meaning;
} glyphs[] = {
	{ '.', "2", "absent" },
	{ ':', "0", "some pages present" },
	{ 'o', "0", "present" },
	{ '#', "32", "present and locked" },
	{ '%', "32", "locked, some pages present" },
	{ '~', "33", "absent, locked when it comes (lock on fault)" },
	{ '!', "31", "absent although locked" },
	{ 'z', "36", "the zero page, which nothing locks" },
	{ '*', "35", "present, locked through another mapping" },
};

#define NR_GLYPHS (sizeof(glyphs) / sizeof(glyphs[0]))

static char glyph_of(const struct area *a, const unsigned long count[STATES])
{
	unsigned long present = 0;

	for (int s = ABSENT + 1; s < STATES; s++)
		present += count[s];
	if (!present)
		return a->onfault ? '~' : a->locked ? '!' : '.';
	if (count[ZERO_PAGE] == present)
		return 'z';
	if (count[ABSENT])
		return a->locked ? '%' : ':';
	if (count[LOCKED_ELSEWHERE])
		return '*';
	return a->locked ? '#' : 'o';
}

static void put_cell(char c)
{
	const char *colour = "0";

	for (size_t i = 0; coloured && i < NR_GLYPHS; i++)
		if (glyphs[i].c == c)
			colour = glyphs[i].colour;
	if (coloured)
		printf("\033[%sm%c\033[0m", colour, c);
	else
		putchar(c);
}

/* A large mapping without a page of its own is not looked at page by page: it may have 2^34 of them. */
#define LARGE (1UL << 30)

/* The area's pages, per of them a cell; what they are is added to total. The number of cells. */
static unsigned int put_bar(const struct area *a, unsigned long per, unsigned long total[STATES])
{
	bool empty = a->rss == 0 && a->end - a->start > LARGE;
	unsigned int cells = 0;

	for (unsigned long at = a->start; at < a->end; at += per * PAGE, cells++) {
		unsigned long count[STATES] = { 0 };
		unsigned long stop = a->end - at < per * PAGE ? a->end : at + per * PAGE;

		if (empty)
			count[ABSENT] = (stop - at) / PAGE;
		else
			count_pages(a, at, stop, count);
		put_cell(glyph_of(a, count));
		for (int s = 0; s < STATES; s++)
			total[s] += count[s];
	}
	return cells;
}

static void put_legend(void)
{
	for (size_t i = 0; i < NR_GLYPHS; i++) {
		printf("  ");
		put_cell(glyphs[i].c);
		printf(" %s\n", glyphs[i].meaning);
	}
}

#endif
