// SPDX-License-Identifier: MIT
/*
 * Sorted lists of disjoint physical ranges, out of whatever order and overlap the firmware reports.
 */
#include <arch/memory.h>

static void insert_at(struct range_list *l, unsigned int at, struct boot_range range)
{
	for (unsigned int i = l->nr; i > at; i--)
		l->r[i] = l->r[i - 1];
	l->r[at] = range;
	l->nr++;
}

static void erase_at(struct range_list *l, unsigned int at)
{
	l->nr--;
	for (unsigned int i = at; i < l->nr; i++)
		l->r[i] = l->r[i + 1];
}

void range_add(struct range_list *l, phys_t start, phys_t end)
{
	unsigned int i = 0;

	if (start >= end)
		return;
	while (i < l->nr && l->r[i].end < start)
		i++;
	while (i < l->nr && l->r[i].start <= end) {
		start = min(start, l->r[i].start);
		end = max(end, l->r[i].end);
		erase_at(l, i);
	}
	if (l->nr < BOOT_MAX_RANGES)
		insert_at(l, i, (struct boot_range){ start, end });
}

/* The part of *r outside [start, end), which lies inside *r, when only one part may stay. */
static void keep_larger_side(struct boot_range *r, phys_t start, phys_t end)
{
	if (start - r->start >= r->end - end)
		r->end = start;
	else
		r->start = end;
}

void range_remove(struct range_list *l, phys_t start, phys_t end)
{
	unsigned int i = 0;

	if (start >= end)
		return;
	while (i < l->nr) {
		struct boot_range *r = &l->r[i];

		if (r->end <= start || r->start >= end) {
			i++;
		} else if (r->start >= start && r->end <= end) {
			erase_at(l, i);
		} else if (r->start < start && r->end > end) {
			struct boot_range upper = { end, r->end };

			if (l->nr == BOOT_MAX_RANGES) {
				keep_larger_side(r, start, end);
			} else {
				r->end = start;
				insert_at(l, i + 1, upper);
			}
			return;
		} else if (r->start < start) {
			r->end = start;
		} else {
			r->start = end;
		}
	}
}

void range_trim_to_pages(struct range_list *l)
{
	unsigned int i = 0;

	while (i < l->nr) {
		struct boot_range *r = &l->r[i];
		phys_t start = ALIGN_UP(r->start, PAGE_SIZE);
		phys_t end = ALIGN_DOWN(r->end, PAGE_SIZE);

		if (start < r->start || start >= end) {
			erase_at(l, i);
		} else {
			r->start = start;
			r->end = end;
			i++;
		}
	}
}

bool range_contains(const struct range_list *l, phys_t start, phys_t end)
{
	for (unsigned int i = 0; i < l->nr; i++)
		if (l->r[i].start <= start && end <= l->r[i].end)
			return true;
	return false;
}
