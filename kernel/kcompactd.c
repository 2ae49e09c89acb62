/* SPDX-License-Identifier: MIT
 *
 * The thread in which mm/kcompactd.c compacts: when it is asked to, and, once that was of use, every now and then.
 */
#include <kern/err.h>
#include <kern/printk.h>
#include <kernel/kcompactd.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <mm/kcompactd.h>

#define LOOK_NS (NSEC_PER_SEC / 2)

static void wake(struct timer *t __maybe_unused)
{
	kcompactd_wake();
}

static void kcompactd_thread(void *arg __maybe_unused)
{
	static struct timer timer = { .func = wake };
	u64 next_look = 0;

	kcompactd_begin();
	for (;;) {
		if (kcompactd_watches())
			timer_set(&timer, next_look);
		kcompactd_wait();
		kcompactd_serve();
		if (kcompactd_watches() && clock_ns() >= next_look) {
			kcompactd_look();
			next_look = clock_ns() + LOOK_NS;
		}
	}
}

void kcompactd_init(void)
{
	if (IS_ERR(kernel_thread(kcompactd_thread, NULL, "kcompactd0")))
		panic("no memory for kcompactd");
}
