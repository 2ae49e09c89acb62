/* SPDX-License-Identifier: MIT
 *
 * The first line of a script: "#!", blanks, an interpreter, and at most one argument, which is the
 * whole rest of the line without the blanks around it.
 */
#include <kern/string.h>
#include <kernel/exec.h>
#include <uapi/errno.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

static char *find_word_end(char *p, const char *end)
{
	while (p < end && *p && !is_blank(*p))
		p++;
	return p;
}

int script_parse(char *buf, size_t size, struct script_line *line)
{
	char *last, *end, *name, *name_end;

	if (size < 4 || buf[0] != '#' || buf[1] != '!')
		return -ENOEXEC;
	/* Room for the 0 behind the last word. */
	last = buf + size - 1;
	end = memchr(buf, '\n', size);
	if (!end) {
		/* A name that runs to the end of the buffer may have been cut. */
		name = skip_blanks(buf + 2, last);
		if (name == last || find_word_end(name, last) == last)
			return -ENOEXEC;
		end = last;
	}
	while (is_blank(end[-1]))
		end--;
	name = skip_blanks(buf + 2, end);
	if (name == end || !*name)
		return -ENOEXEC;
	name_end = find_word_end(name, end);

	line->interp = name;
	line->arg = NULL;
	if (name_end < end && *name_end) {
		line->arg = skip_blanks(name_end, end);
		if (line->arg == end || !*line->arg)
			line->arg = NULL;
	}
	*end = '\0';
	*name_end = '\0';
	return 0;
}
