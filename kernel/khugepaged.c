/* SPDX-License-Identifier: MIT
 *
 * The thread in which mm/khugepaged.c scans: it sleeps between scans, and longer when there was no memory.
 */
#include <kern/err.h>
#include <kern/knobs.h>
#include <kern/printk.h>
#include <kernel/khugepaged.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <mm/thp.h>

static void wake(struct timer *t __maybe_unused)
{
	khugepaged_wake();
}

/* Until then, or until settings have changed. */
static void pause_ms(unsigned long ms)
{
	static struct timer timer = { .func = wake };

	timer_set(&timer, clock_ns() + max(ms, 1UL) * (NSEC_PER_SEC / 1000));
	khugepaged_wait();
	timer_cancel(&timer);
}

static void khugepaged_thread(void *arg __maybe_unused)
{
	khugepaged_begin();
	for (;;) {
		while (!khugepaged_has_work())
			khugepaged_wait();
		pause_ms(READ_ONCE(khugepaged_settings.scan_sleep_ms));
		if (!khugepaged_scan())
			pause_ms(READ_ONCE(khugepaged_settings.alloc_sleep_ms));
	}
}

void khugepaged_init(void)
{
	if (knob_khugepaged && IS_ERR(kernel_thread(khugepaged_thread, NULL, "khugepaged")))
		panic("no memory for khugepaged");
}
