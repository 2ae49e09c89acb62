/* SPDX-License-Identifier: MIT
 *
 * Each of the kernel's allocations fails once. A file of /proc/sys arms the nth call at a site; a process does a little of
 * everything; n goes up until all of that is over before the call comes.
 */
#ifndef STARVE_FAILURES_H
#define STARVE_FAILURES_H

#include "crowd.h"

#define FAIL_FILE "/proc/sys/vm/fail_at"
#define MOST_CALLS 3000

static const char *const fail_sites[] = { "alloc_pages", "kmalloc", "vma_alloc", "pagetable",
					  "xarray" };

static void use_memory(void)
{
	char *p = map(4 * MIB, 0), *q;

	if (p == MAP_FAILED)
		return;
	for (uint64_t at = 0; at < 4 * MIB; at += 256 << 10)
		*(volatile char *)(p + at) = 1;
	mprotect(p + MIB, MIB, PROT_READ);
	mlock(p + 2 * MIB, 64 << 10);
	q = mremap(p, MIB, 2 * MIB, MREMAP_MAYMOVE);
	if (q != MAP_FAILED)
		munmap(q, 2 * MIB);
	munmap(p + MIB, 3 * MIB);
}

static void use_files(void)
{
	int fd = open("/tmp/starve", O_RDWR | O_CREAT | O_TRUNC, 0600), ends[2];
	char byte = 1, *p;

	if (fd >= 0) {
		for (int i = 0; i < 3; i++)
			(void)!pwrite(fd, &byte, 1, i << 20);
		p = mmap(NULL, 3 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED && !pread(fd, &byte, 1, 3 * MIB - 1))
			munmap(p, 3 * MIB);
		close(fd);
		unlink("/tmp/starve");
	}
	if (!pipe(ends)) {
		(void)!write(ends[1], &byte, 1);
		close(ends[0]);
		close(ends[1]);
	}
}

/* Still armed: the call did not come. */
static bool is_armed(void)
{
	return proc_number(FAIL_FILE, "") != 0;
}

#define DID_NOT_COME 100

/* Whom a failure meets may be killed for it: this process, so it asks for it itself, when its parent is asleep. */
static int use_all(void *arg)
{
	char *const argv[] = { (char *)"/bin/true", NULL };
	int result;
	pid_t pid;

	sleep_ms(2);
	if (write_text(FAIL_FILE, arg))
		return ENOTSUP;
	use_memory();
	use_files();
	pid = fork();
	if (!pid) {
		use_memory();
		execv(argv[0], argv);
		_exit(1);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	result = is_armed() ? DID_NOT_COME : 0;
	write_text(FAIL_FILE, "kmalloc:0");
	return result;
}

static int failures(void)
{
	if (access(FAIL_FILE, W_OK)) {
		puts("starve failures: skipped: this kernel's allocations cannot be made to fail");
		return 0;
	}
	for (size_t s = 0; s < sizeof(fail_sites) / sizeof(fail_sites[0]); s++) {
		unsigned long n = 0;
		char text[64];
		int status;

		do {
			pid_t pid;

			snprintf(text, sizeof(text), "%s:%lu", fail_sites[s], ++n);
			pid = start(use_all, text);
			if (waitpid(pid, &status, 0) != pid)
				die("starve: waitpid");
			if (WIFEXITED(status) && WEXITSTATUS(status) == ENOTSUP) {
				printf("starve failures: %s: not accepted\n", text);
				return 1;
			}
		} while ((!WIFEXITED(status) || WEXITSTATUS(status) != DID_NOT_COME) &&
			 n < MOST_CALLS);
		printf("starve failures: %s failed %lu times\n", fail_sites[s], n - 1);
	}
	return 0;
}

#endif
