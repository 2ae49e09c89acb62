/* SPDX-License-Identifier: MIT
 *
 * The multiboot2 parser: any bytes give an error or a boot_info that the kernel can rely on.
 */
#include "fuzz_boot.h"

#define BLOCK_PA 0x123450UL /* any */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_info bi, untouched;
	/*
	 * An exact copy, so that one byte too far is a report; the real block is 8-byte aligned
	 * too.
	 */
	u8 *block = host_alloc(size ? size : 1);
	u32 total = (u32)size;
	int err;

	memcpy(block, data, size);
	/* Mostly a total size that fits: the tags are what matters. */
	if (size >= 8 && data[4] % 8)
		memcpy(block, &total, sizeof(total));
	memset(&bi, 0x5a, sizeof(bi));
	untouched = bi;
	err = multiboot2_parse(block, BLOCK_PA, size, &bi);
	if (err) {
		CHECK(err == -EINVAL);
		CHECK(memcmp(&bi, &untouched, sizeof(bi)) == 0);
	} else {
		check_boot_info(&bi);
		CHECK(!bi.rsdp || (bi.rsdp >= BLOCK_PA + 16 && bi.rsdp <= BLOCK_PA + size));
	}
	host_free(block);
	return 0;
}
