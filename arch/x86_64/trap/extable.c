// SPDX-License-Identifier: MIT
/*
 * The exception table: kernel instructions that touch what a program pointed to, and where each
 * goes on when that fails. Entries come from assembly (macro EXTABLE) in address order.
 */
#include <arch/trap.h>
#include <kern/assert.h>

struct extable_entry {
	unsigned long insn, fixup;
};

extern const struct extable_entry __ex_table_start[], __ex_table_end[];

void extable_init(void)
{
	for (const struct extable_entry *e = __ex_table_start; e + 1 < __ex_table_end; e++)
		BUG_ON(e[0].insn >= e[1].insn);
}

static const struct extable_entry *extable_find(unsigned long rip)
{
	const struct extable_entry *lo = __ex_table_start, *hi = __ex_table_end;

	while (lo < hi) {
		const struct extable_entry *mid = lo + (hi - lo) / 2;

		if (mid->insn == rip)
			return mid;
		if (mid->insn < rip)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool extable_covers(unsigned long rip)
{
	return extable_find(rip) != NULL;
}

bool extable_fixup(struct trap_frame *tf)
{
	const struct extable_entry *e = extable_find(tf->rip);

	if (!e)
		return false;
	tf->rip = e->fixup;
	return true;
}
