/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "console.h"
#include "control.h"
#include "memory.h"
#include "streams.h"

int run_job(const struct job *job)
{
	return job->console == CONSOLE_NONE ? run_in_streams(job) : run_on_console(job);
}

static void empty_directory(const char *path);

/* A file, or a directory with all that is in it; false when it stays. */
static bool remove_entry(const char *path)
{
	if (!unlink(path))
		return true;
	if (errno != EISDIR && errno != EPERM)
		return false;
	empty_directory(path);
	return !rmdir(path);
}

/* Removes what is in it, until a pass finds nothing that it can remove. */
static void empty_directory(const char *path)
{
	_Alignas(struct dirent) char entries[1024];
	char name[512];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool removed = false;
	int n;

	while (fd >= 0 && (n = getdents(fd, (struct dirent *)entries, sizeof(entries))) > 0) {
		const struct dirent *e;

		for (int at = 0; at < n; at += e->d_reclen) {
			e = (const struct dirent *)(entries + at);
			if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
				continue;
			snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
			removed |= remove_entry(name);
		}
	}
	if (fd >= 0)
		close(fd);
	if (removed)
		empty_directory(path);
}

int run_batch_job(const struct job *job)
{
	int status;

	report_memory("before");
	report("begin %s\n", job->name);
	status = run_job(job);
	kill_everyone();
	report("end %d\n", status);
	empty_directory("/tmp");
	empty_directory("/dev/shm");
	report_memory("after");
	return status;
}
