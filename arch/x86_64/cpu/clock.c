// SPDX-License-Identifier: MIT
/*
 * Time: the time-stamp counter as a clock, the local APIC's timer for events. Their frequencies are
 * measured at boot against channel 2 of the 8254 (Intel 8254 data sheet), in three windows of a
 * millisecond. Windows that agree are taken as one long one; if something disturbed the machine
 * meanwhile, the middle value counts.
 */
#include <arch/apic.h>
#include <arch/io.h>
#include <arch/timer.h>
#include <arch/vdso.h>
#include <kern/printk.h>

#define PIT_HZ 1193182u
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_CH2_MODE0 0xb0 /* low byte, high byte, counts down once */
#define PIT_CH2_LATCH 0x80
#define PORT_B 0x61 /* bit 0: gate of channel 2, bit 1: speaker */

#define WINDOWS 3
#define WINDOW_TICKS (PIT_HZ / 1000)
#define READS 4
#define MAX_POLLS 1000000

struct sample {
	u64 tsc;
	u32 pit, lapic; /* both count down */
};

struct rates {
	u64 tsc_hz, lapic_hz;
};

/* Fixed-point factors with 32 fraction bits. [I] after clock_init() */
static u64 ns_per_tsc, lapic_per_ns, tsc_base;
static unsigned long tsc_khz; /* [I] */

static u32 read_pit(void)
{
	u32 lo;

	outb(PIT_COMMAND, PIT_CH2_LATCH);
	lo = inb(PIT_CHANNEL2);
	return lo | (u32)inb(PIT_CHANNEL2) << 8;
}

/* The three counters at one moment: of several tries the one that took least time. */
static struct sample take_sample(void)
{
	struct sample best = { .tsc = 0 };
	u64 best_time = ~0ULL;

	for (unsigned int i = 0; i < READS; i++) {
		u64 t0 = rdtsc();
		u32 pit = read_pit();
		u32 lapic = lapic_timer_remaining();
		u64 t1 = rdtsc();

		if (t1 - t0 < best_time) {
			best_time = t1 - t0;
			best = (struct sample){ t0 + (t1 - t0) / 2, pit, lapic };
		}
	}
	return best;
}

static void start_counters(void)
{
	outb(PORT_B, (inb(PORT_B) & 0xfc) | 1);
	outb(PIT_COMMAND, PIT_CH2_MODE0);
	outb(PIT_CHANNEL2, 0xff);
	outb(PIT_CHANNEL2, 0xff);
	lapic_timer_start_masked(~0u);
}

static struct rates rates_between(const struct sample *a, const struct sample *b)
{
	u64 ticks = a->pit > b->pit ? a->pit - b->pit : 1;

	return (struct rates){
		.tsc_hz = (b->tsc - a->tsc) * PIT_HZ / ticks,
		.lapic_hz = (u64)(a->lapic - b->lapic) * PIT_HZ / ticks,
	};
}

static bool agree(u64 a, u64 b)
{
	return (a > b ? a - b : b - a) < a / 256;
}

static struct rates middle(const struct rates *r)
{
	unsigned int lo = r[0].tsc_hz < r[1].tsc_hz ? 0 : 1;
	unsigned int hi = 1 - lo;

	if (r[2].tsc_hz < r[lo].tsc_hz)
		return r[lo];
	return r[2].tsc_hz > r[hi].tsc_hz ? r[hi] : r[2];
}

static struct rates measure(void)
{
	struct sample s[WINDOWS + 1];
	struct rates r[WINDOWS];

	start_counters();
	s[0] = take_sample();
	for (unsigned int i = 0; i < WINDOWS; i++) {
		u32 target = s[i].pit - WINDOW_TICKS;

		for (unsigned int n = 0; n < MAX_POLLS && read_pit() > target; n++)
			;
		s[i + 1] = take_sample();
		r[i] = rates_between(&s[i], &s[i + 1]);
	}
	if (agree(r[0].tsc_hz, r[1].tsc_hz) && agree(r[1].tsc_hz, r[2].tsc_hz))
		return rates_between(&s[0], &s[WINDOWS]);
	return middle(r);
}

static u64 scale(u64 value, u64 factor)
{
	return (u64)((unsigned __int128)value * factor >> 32);
}

/* (a << 32) / b without overflow: a below 2^32. */
static u64 ratio(u64 a, u64 b)
{
	return (a << 32) / b;
}

void clock_init(void)
{
	struct rates r = measure();

	lapic_timer_start_masked(0);
	if (!r.tsc_hz)
		r.tsc_hz = 1000000000;
	if (!r.lapic_hz)
		r.lapic_hz = 1000000;
	lapic_per_ns = ratio(r.lapic_hz, 1000000000);
	tsc_base = rdtsc();
	ns_per_tsc = ratio(1000000000, r.tsc_hz);
	tsc_khz = (unsigned long)(r.tsc_hz / 1000);
	pr_info("clock: TSC %lu kHz, local APIC timer %lu kHz", tsc_khz,
		(unsigned long)(r.lapic_hz / 1000));
}

unsigned long clock_tsc_khz(void)
{
	return tsc_khz;
}

u64 clock_ns(void)
{
	return tsc_to_ns(rdtsc(), tsc_base, ns_per_tsc);
}

void arch_vdso_clock(struct vdso_data *d)
{
	d->tsc_base = tsc_base;
	d->ns_per_tsc = ns_per_tsc;
}

/* The counter is 32 bits wide: a far deadline makes an early interrupt, which asks again. */
void arch_timer_set(u64 deadline_ns)
{
	u64 now = clock_ns();
	u64 ticks = 1;

	if (deadline_ns > now)
		ticks = scale(min(deadline_ns - now, (u64)1 << 40), lapic_per_ns) + 1;
	lapic_timer_start((u32)min(ticks, (u64)~0u));
}

void clock_interrupt(bool from_user)
{
	lapic_eoi();
	timer_interrupt(from_user);
}
