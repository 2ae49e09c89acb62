/* SPDX-License-Identifier: MIT
 *
 * Sets of CPUs as Linux writes them: words of hexadecimal digits, the highest first, as long as the number
 * of CPUs asks for; or a list of ranges.
 */
#include <fs/procfs/internal.h>

unsigned int proc_nr_cpus(void)
{
	return 64 - (unsigned int)__builtin_clzll(sched_online_cpus());
}

void seq_cpumask(struct seq *s, u64 mask)
{
	unsigned int bits = proc_nr_cpus();

	if (bits > 32) {
		seq_hex(s, mask >> 32, (bits - 32 + 3) / 4);
		seq_putc(s, ',');
		bits = 32;
	}
	seq_hex(s, mask & 0xffffffff, (bits + 3) / 4);
}

/* The mask from bit `from` on is all ones up to the end of its run. */
static unsigned int run_end(u64 mask, unsigned int from)
{
	u64 zeros = ~(mask >> from);

	return from + (zeros ? (unsigned int)__builtin_ctzll(zeros) : 64);
}

void seq_cpulist(struct seq *s, u64 mask)
{
	const char *comma = "";

	while (mask) {
		unsigned int first = (unsigned int)__builtin_ctzll(mask);
		unsigned int end = run_end(mask, first);

		seq_puts(s, comma);
		seq_dec(s, first, 1);
		if (end - first > 1) {
			seq_putc(s, '-');
			seq_dec(s, end - 1, 1);
		}
		mask = end < 64 ? mask >> end << end : 0;
		comma = ",";
	}
}
