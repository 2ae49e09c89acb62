/* SPDX-License-Identifier: MIT
 *
 * The thread that writes dirty file pages back: mm/writeback.c does the work, a timer here sees to it that
 * old pages are looked for now and then.
 */
#include <kern/err.h>
#include <kern/printk.h>
#include <kernel/flusher.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <mm/writeback.h>

/* Knob vm.dirty_writeback_centisecs is 0: nobody is woken, but the knob may change. */
#define LOOK_AGAIN_NS (5 * NSEC_PER_SEC)

static u64 next_tick(void)
{
	u64 interval = writeback_interval_ns();

	return clock_ns() + (interval ? interval : LOOK_AGAIN_NS);
}

static void tick(struct timer *t)
{
	if (writeback_interval_ns())
		writeback_wake(0);
	timer_set(t, next_tick());
}

static void flusher_thread(void *arg)
{
	static struct timer timer = { .func = tick };

	(void)arg;
	timer_set(&timer, next_tick());
	for (;;)
		writeback_once();
}

void flusher_init(void)
{
	struct task *t = kernel_thread(flusher_thread, NULL, "kflushd");

	if (IS_ERR(t))
		panic("no memory for the flusher");
}
