/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "startup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util.h"

#define MODULES_FILE "/etc/faultline/modules"

void touch_memory(void)
{
	volatile char stack[32 * 1024];

	for (size_t i = 0; i < sizeof(stack); i += 1024)
		stack[i] = 0;
	now_ms();
}

void mount_filesystems(void)
{
	if (!access("/proc/meminfo", F_OK))
		return;
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mkdir("/dev/shm", 01777);
	mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777");
	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", 0, NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		dprintf(2, "init: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void load_modules(void)
{
	static char text[4096];
	char *rest = text, *path;

	read_file(MODULES_FILE, text, sizeof(text));
	while ((path = strsep(&rest, "\n")))
		if (*path)
			load_module(path);
}
