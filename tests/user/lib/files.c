/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"

static char scratch_path[64];
static pid_t scratch_owner; /* only the process that made it removes it */

const char *scratch_dir(void)
{
	if (!scratch_path[0]) {
		struct stat st;
		/* Where other users may search too. */
		const char *base =
			!stat("/dev/shm", &st) && (st.st_mode & S_IXOTH) ? "/dev/shm" : "/tmp";

		MUST(!mkdir(base, 01777) || errno == EEXIST);
		snprintf(scratch_path, sizeof(scratch_path), "%s/test.XXXXXX", base);
		MUST(mkdtemp(scratch_path));
		MUST(!chmod(scratch_path, 0755));
		scratch_owner = getpid();
	}
	return scratch_path;
}

static void remove_tree(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(fd, e->d_name, 0))
			remove_tree(fd, e->d_name);
	if (d)
		closedir(d);
	unlinkat(at, name, AT_REMOVEDIR);
}

void scratch_remove(void)
{
	if (scratch_path[0] && scratch_owner == getpid()) {
		remove_tree(AT_FDCWD, scratch_path);
		scratch_path[0] = 0;
	}
}

char *scratch(const char *name)
{
	static char paths[32][256];
	static int turn;
	char *p = paths[turn++ % 32];

	snprintf(p, sizeof(paths[0]), "%s/%s", scratch_dir(), name);
	return p;
}

int tmp_file(size_t len)
{
	static int serial;
	char name[32], page[PAGE];
	char *path;
	int fd;

	snprintf(name, sizeof(name), "file%d", serial++);
	path = scratch(name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(fd >= 0);
	MUST(!unlink(path));
	for (size_t at = 0; at < len; at += PAGE) {
		size_t n = len - at < PAGE ? len - at : PAGE;

		memset(page, (int)(at / PAGE + 1), sizeof(page));
		MUST(write(fd, page, n) == (ssize_t)n);
	}
	return fd;
}

long size_of(int fd)
{
	struct stat st;

	MUST(!fstat(fd, &st));
	return st.st_size;
}

void write_file(const char *path, const void *data, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	MUST(fd >= 0);
	MUST(write(fd, data, len) == (ssize_t)len);
	MUST(!fchmod(fd, mode));
	close(fd);
}
