/* SPDX-License-Identifier: MIT
 *
 * /proc/interrupts: how often each CPU was interrupted, by what; and the sum that /proc/stat shows.
 */
#include <arch/irq_stat.h>
#include <fs/procfs/internal.h>
#include <mm/stats.h>

static u32 flushes(unsigned int cpu)
{
	return (u32)cpu_stat_read(cpu, TLB_REMOTE_RECEIVED);
}

static u32 timer(unsigned int cpu)
{
	return irq_count_read(cpu, IRQ_TIMER);
}

static u32 spurious(unsigned int cpu)
{
	return irq_count_read(cpu, IRQ_SPURIOUS);
}

static u32 reschedule(unsigned int cpu)
{
	return irq_count_read(cpu, IRQ_RESCHEDULE);
}

/* A flush is a call too, but has a row of its own. One interrupt can bring several. */
static u32 calls(unsigned int cpu)
{
	u32 all = irq_count_read(cpu, IRQ_CALL), tlb = flushes(cpu);

	return all > tlb ? all - tlb : 0;
}

static const struct row {
	const char *label, *text;
	u32 (*read)(unsigned int cpu);
} rows[] = {
	{ "LOC: ", "  Local timer interrupts\n", timer },
	{ "SPU: ", "  Spurious interrupts\n", spurious },
	{ "RES: ", "  Rescheduling interrupts\n", reschedule },
	{ "CAL: ", "  Function call interrupts\n", calls },
	{ "TLB: ", "  TLB shootdowns\n", flushes },
};

static void put_line(struct seq *s, unsigned int line, u64 online)
{
	struct irq_line l;

	if (!irq_line_describe(line, &l))
		return;
	seq_dec(s, line, 3);
	seq_puts(s, ": ");
	for (u64 left = online; left; left &= left - 1) {
		unsigned int cpu = (unsigned int)__builtin_ctzll(left);

		seq_dec(s, irq_count_read(cpu, IRQ_ISA + line), 10);
		seq_putc(s, ' ');
	}
	if (l.by_ioapic)
		seq_printf(s, "  IO-APIC %3u-%-8s", l.pin, l.level ? "fasteoi" : "edge");
	else
		seq_puts(s, "   XT-PIC    ");
	seq_printf(s, "  %s\n", l.name);
}

/* The first number that no line of the first I/O APIC has, as in Linux. */
#define FIRST_MSI 24

static void put_message(struct seq *s, unsigned int msi, u64 online)
{
	const char *name = msi_describe(msi);

	if (!name)
		return;
	seq_dec(s, FIRST_MSI + msi, 3);
	seq_puts(s, ": ");
	for (u64 left = online; left; left &= left - 1) {
		unsigned int cpu = (unsigned int)__builtin_ctzll(left);

		seq_dec(s, irq_count_read(cpu, IRQ_MSI + msi), 10);
		seq_putc(s, ' ');
	}
	seq_printf(s, "  PCI-MSI %3u-edge      %s\n", msi, name);
}

int interrupts_show(struct seq *s)
{
	u64 online = sched_online_cpus();

	seq_puts(s, "           ");
	for (u64 left = online; left; left &= left - 1)
		seq_printf(s, "CPU%-8u", (unsigned int)__builtin_ctzll(left));
	seq_putc(s, '\n');
	for (unsigned int line = 0; line < NR_ISA_LINES; line++)
		put_line(s, line, online);
	for (unsigned int msi = 0; msi < NR_MSI; msi++)
		put_message(s, msi, online);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		seq_puts(s, rows[i].label);
		for (u64 left = online; left; left &= left - 1) {
			seq_dec(s, rows[i].read((unsigned int)__builtin_ctzll(left)), 10);
			seq_putc(s, ' ');
		}
		seq_puts(s, rows[i].text);
	}
	return 0;
}

static u64 sum_over_cpus(unsigned int kind)
{
	u64 sum = 0;

	for (u64 left = sched_online_cpus(); left; left &= left - 1)
		sum += irq_count_read((unsigned int)__builtin_ctzll(left), kind);
	return sum;
}

void put_interrupt_sums(struct seq *s)
{
	u64 total = 0;

	for (unsigned int kind = 0; kind < NR_IRQ_KINDS; kind++)
		total += sum_over_cpus(kind);
	seq_puts(s, "intr ");
	seq_dec(s, total, 1);
	for (unsigned int line = 0; line < NR_ISA_LINES; line++) {
		seq_putc(s, ' ');
		seq_dec(s, sum_over_cpus(IRQ_ISA + line), 1);
	}
	seq_putc(s, '\n');
}
