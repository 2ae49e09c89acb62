/* SPDX-License-Identifier: MIT
 *
 * A swap area on a simulated device, for tests of those who use swap.
 */
#ifndef SWAP_DEVICE_H
#define SWAP_DEVICE_H

#include "t.h"

#include <mm/swap.h>

/* mkswap's header: Linux's include/linux/swap.h, union swap_header. */
#define SWAP_DEVICE_VERSION 1024
#define SWAP_DEVICE_LAST_PAGE 1028

static struct file *swap_device_name;

/* A device of that many pages, as mkswap leaves it. */
static inline struct block_device *swap_device_create(u32 pages)
{
	struct block_device *dev = sim_block_create((u64)pages * PG);
	u8 *header = sim_block_data(dev);
	u32 version = 1, last = pages - 1;

	memcpy(header + SWAP_DEVICE_VERSION, &version, sizeof(version));
	memcpy(header + SWAP_DEVICE_LAST_PAGE, &last, sizeof(last));
	memcpy(header + PG - 10, "SWAPSPACE2", 10);
	return dev;
}

static inline struct block_device *swap_device_on(u32 pages)
{
	struct block_device *dev = swap_device_create(pages);

	swap_device_name = sim_file(0, true);
	assert_int_equal(swap_area_on(swap_device_name, dev, SWAP_PRIO_NEXT), 0);
	return dev;
}

static inline void swap_device_off(struct block_device *dev)
{
	swap_validate();
	assert_int_equal(swap_area_off(dev), 0);
	file_put(swap_device_name);
	sim_block_destroy(dev);
}

#endif
