/* SPDX-License-Identifier: MIT
 *
 * What every loader's parser promises of a boot_info.
 */
#ifndef FUZZ_BOOT_H
#define FUZZ_BOOT_H

#include "sim_host.h"

#include <arch/boot_info.h>
#include <arch/page_types.h>
#include <kern/assert.h>
#include <kern/string.h>
#include <uapi/errno.h>

#define CHECK(cond) BUG_ON(!(cond))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check_boot_info(const struct boot_info *bi)
{
	CHECK(bi->nr_ram > 0 && bi->nr_ram <= BOOT_MAX_RANGES);
	for (unsigned int i = 0; i < bi->nr_ram; i++) {
		CHECK(bi->ram[i].start < bi->ram[i].end);
		CHECK(IS_ALIGNED(bi->ram[i].start | bi->ram[i].end, PAGE_SIZE));
		CHECK(i == 0 || bi->ram[i - 1].end <= bi->ram[i].start);
	}
	CHECK(bi->initrd.start <= bi->initrd.end);
	CHECK(strnlen(bi->cmdline, sizeof(bi->cmdline)) < sizeof(bi->cmdline));
}

#endif
