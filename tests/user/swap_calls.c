/* SPDX-License-Identifier: MIT
 *
 * swapon() and swapoff(): who may, on what, and what /proc says of it. What happens to pages in swap needs memory
 * pressure, and is tested elsewhere.
 */
#include "test.h"
#include <sys/swap.h>

#ifndef SWAP_FLAG_DISCARD
#define SWAP_FLAG_DISCARD 0x10000
#endif

#define HEADING "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

TEST(flags, "unknown flags are EINVAL before anything else is looked at")
{
	CHECK_EQ(SYS(swapon, "/nonexistent", 0x80000), -EINVAL);
	CHECK_EQ(SYS(swapon, "/nonexistent", -1), -EINVAL);
	CHECK_EQ(SYS(swapon, "/nonexistent", SWAP_FLAG_PREFER | 5 | SWAP_FLAG_DISCARD), -ENOENT);
}

TEST(paths, "what is not there, not to be read, or no block device")
{
	const char *file = scratch("file");
	int fd = open(file, O_CREAT | O_RDWR, 0600);

	MUST(fd >= 0 && !ftruncate(fd, 1 << 20));
	CHECK_EQ(SYS(swapon, "", 0), -ENOENT);
	CHECK_EQ(SYS(swapon, KERNEL_ADDRESS, 0), -EFAULT);
	CHECK_EQ(SYS(swapoff, "/nonexistent"), -ENOENT);
	CHECK_EQ(SYS(swapoff, KERNEL_ADDRESS), -EFAULT);
	CHECK_EQ(SYS(swapon, "/dev/null", 0), -EINVAL);
	CHECK_EQ(SYS(swapoff, "/dev/null"), -EINVAL);
	/* No header. */
	CHECK_EQ(SYS(swapon, file, 0), -EINVAL);
	CHECK_EQ(SYS(swapoff, file), -EINVAL);
	CHECK_EQ(SYS(swapon, "/tmp", 0), -EISDIR);
	CHECK_EQ(SYS(swapoff, "/tmp"), -EISDIR);
	close(fd);
}

FORKED_TEST(privilege, "without CAP_SYS_ADMIN: EPERM, whatever the path")
{
	MUST(!setresuid(1000, 1000, 1000));
	CHECK_EQ(SYS(swapon, "/nonexistent", 0), -EPERM);
	CHECK_EQ(SYS(swapon, KERNEL_ADDRESS, 0), -EPERM);
	CHECK_EQ(SYS(swapoff, "/nonexistent"), -EPERM);
	CHECK_EQ(SYS(swapon, "/nonexistent", 0x80000), -EINVAL);
}

TEST(swaps, "/proc/swaps: a heading, and a line for each area")
{
	char *text = slurp("/proc/swaps");
	unsigned long size = 0, used = 0, total = 0, total_used = 0;
	char name[256], type[32];
	int prio;

	CHECK(!strncmp(text, HEADING, strlen(HEADING)));
	for (char *line = text + strlen(HEADING); *line; line = strchr(line, '\n') + 1) {
		CHECK_EQ(sscanf(line, "%255s %31s %lu %lu %d\n", name, type, &size, &used, &prio),
			 5);
		CHECK(!strcmp(type, "partition") || !strcmp(type, "file"));
		CHECK(line[39] == ' ' || strlen(name) > 39);
		total += size;
		total_used += used;
	}
	CHECK_EQ(proc_value("/proc/meminfo", "SwapTotal:"), total);
	CHECK_RANGE(proc_value("/proc/meminfo", "SwapFree:"), (long)(total - total_used) - 65536,
		    (long)(total - total_used) + 65536);
	CHECK(proc_value("/proc/meminfo", "SwapCached:") >= 0);
}

TEST_MAIN()
