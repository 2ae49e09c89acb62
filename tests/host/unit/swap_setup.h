/* SPDX-License-Identifier: MIT
 *
 * For the tests of swap itself: each begins without an area, and ends without one.
 */
#ifndef SWAP_SETUP_H
#define SWAP_SETUP_H

#include "swap_device.h"

#define B 0xa0000000UL
#define AT(page) (B + (page)*PG)

static struct file *swap_name;

/* An area that is on. */
static inline struct block_device *swap_on(u32 pages, int prio)
{
	struct block_device *dev = swap_device_create(pages);

	if (!swap_name)
		swap_name = sim_file(0, true);
	assert_int_equal(swap_area_on(swap_name, dev, prio), 0);
	return dev;
}

static inline void swap_off(struct block_device *dev)
{
	swap_validate();
	assert_int_equal(swap_area_off(dev), 0);
	sim_block_destroy(dev);
}

static inline int t_swap_setup(void **state)
{
	swap_name = NULL;
	knob_vm_page_cluster = 3;
	return t_setup(state);
}

static inline int t_swap_teardown(void **state)
{
	if (swap_name)
		file_put(swap_name);
	assert_int_equal(swap_total_pages(), 0);
	return t_teardown(state);
}

#define S(f) cmocka_unit_test_setup_teardown(f, t_swap_setup, t_swap_teardown)

/* With an address space and an area of 255 slots. */
static struct block_device *swap_dev;

static inline int t_swap_mm_setup(void **state)
{
	t_swap_setup(state);
	sim_caller.ipc_lock = true;
	swap_dev = swap_on(256, -1);
	*state = mm_create(false);
	return *state ? 0 : -1;
}

static inline int t_swap_mm_teardown(void **state)
{
	struct mm *mm = *state;

	t_validate(mm);
	sim_mm_put(mm);
	assert_int_equal(swap_free_pages(), swap_total_pages());
	assert_int_equal(stat_read(NR_SWAPCACHED), 0);
	swap_off(swap_dev);
	return t_swap_teardown(state);
}

#define S_MM(f) cmocka_unit_test_setup_teardown(f, t_swap_mm_setup, t_swap_mm_teardown)

#endif
