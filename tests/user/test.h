/* SPDX-License-Identifier: MIT
 *
 * What every program in tests/user is made of: tests with names, checks that print what they saw,
 * KTAP on standard output, exit status 0 when all passed and 1 otherwise.
 *
 *	#include "test.h"
 *
 *	TEST(hint_is_honoured, "a free page-aligned hint is where the mapping goes")
 *	{
 *		CHECK_EQ(x, y);
 *	}
 *
 *	TEST_MAIN()
 *
 * One program, one behaviour. Two kinds of statement: MUST() is set-up, whose failure ends the program
 * with "Bail out!"; CHECK*() is the behaviour, whose failure makes the test "not ok" and goes on.
 * FORKED_TEST() runs its body in a child, for what changes the process for good (limits, ids, chroot);
 * a child that a signal ends is a failed test. What else there is, a file each:
 *
 *	lib/check.h	MUST(), CHECK*(), SKIP()
 *	lib/ktap.h	TEST(), TEST_MAIN(): the list of tests and its results
 *	lib/child.h	IN_CHILD { ... }: checks in other processes
 *	lib/fault.h	CHECK_FAULT(): which fault a statement raises
 *	lib/memory.h	sizes, addresses, mappings to test with
 *	lib/proc.h	what /proc says of them
 *	lib/files.h	files that do not outlive the program
 *	lib/clock.h	time
 *	raw_syscall.h	SYS(mmap, ...): a system call without libc in between, which returns -errno
 *
 * Beside this file: threads that start together (crew.h), locks of memory (lock.h), large folios (folio.h), user
 * namespaces (userns.h), System V shared memory (shm.h), disks (blocks.h), ELF files (elf_image.h).
 *
 * The programs run on Linux as they are, as root, and must pass there: Linux is the referee. What
 * depends on the kernel version names both answers and the reason at the check.
 */
#ifndef TESTS_USER_TEST_H
#define TESTS_USER_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "../../user/compat.h"
#include "../../user/raw_syscall.h"
#include "lib/check.h"
#include "lib/child.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/files.h"
#include "lib/ktap.h"
#include "lib/memory.h"
#include "lib/proc.h"

#define UNUSED __attribute__((unused))

#endif
