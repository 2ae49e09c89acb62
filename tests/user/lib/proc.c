/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"

char *slurp(const char *path)
{
	static char buf[512 * 1024];
	size_t n = 0;
	ssize_t r;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	while (n < sizeof(buf) - 1 && (r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += r;
	close(fd);
	buf[n] = 0;
	return buf;
}

long proc_value(const char *path, const char *label)
{
	char *text = slurp(path);
	size_t len = strlen(label);

	for (char *line = text; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (!strncmp(line, label, len))
			return strtol(line + len, NULL, 10);
	return -1;
}

bool tell(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

bool chosen(const char *file, char *word, size_t size)
{
	char *text = slurp(file), *open = text ? strchr(text, '[') : NULL,
	     *shut = open ? strchr(open, ']') : NULL;

	if (!shut || (size_t)(shut - open) > size)
		return false;
	*shut = 0;
	memcpy(word, open + 1, (size_t)(shut - open));
	return true;
}

bool map_next(char **text, struct map *m)
{
	char *line = *text, *nl;
	int used = 0;

	if (!line || !*line)
		return false;
	nl = strchr(line, '\n');
	if (nl)
		*nl = 0;
	m->name[0] = 0;
	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &m->start, &m->end, m->perms, &m->offset,
		   &m->major, &m->minor, &m->inode, &used) < 7)
		bail_out("cannot parse the maps line \"%s\"", line);
	snprintf(m->name, sizeof(m->name), "%s", line + used);
	*text = nl ? nl + 1 : NULL;
	return true;
}

bool map_find(const void *addr, struct map *m)
{
	char *text = slurp("/proc/self/maps");

	MUST(text);
	while (map_next(&text, m))
		if ((unsigned long)addr >= m->start && (unsigned long)addr < m->end)
			return true;
	return false;
}

int maps_in(const void *addr, size_t len)
{
	static char buf[64 * 1024];
	unsigned long lo = (unsigned long)addr, hi = lo + len;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), count = 0;
	size_t have = 0;
	ssize_t r;

	MUST(fd >= 0);
	while ((r = read(fd, buf + have, sizeof(buf) - 1 - have)) > 0) {
		char *text = buf, *last;
		struct map m;

		have += r;
		buf[have] = 0;
		last = strrchr(buf, '\n');
		MUST(last);
		*last++ = 0;
		while (map_next(&text, &m))
			count += m.start < hi && m.end > lo;
		have -= last - buf;
		memmove(buf, last, have);
	}
	close(fd);
	return count;
}

const char *perms_at(const void *addr)
{
	static struct map m;

	return map_find(addr, &m) ? m.perms : "";
}

uint64_t pagemap_entry(const volatile void *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	MUST(pread(fd, &entry, 8, (unsigned long)p / PAGE * 8) == 8);
	close(fd);
	return entry;
}

uint64_t pfn_of(const volatile void *p)
{
	uint64_t e = pagemap_entry(p);

	return e & PAGEMAP_PRESENT ? e & PAGEMAP_PFN : 0;
}
