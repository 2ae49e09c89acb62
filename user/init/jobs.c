/* SPDX-License-Identifier: MIT */
#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define JOBS_FILE "/etc/faultline/jobs"

static char text[512 * 1024];
static size_t text_len, text_at;
static struct job job;

bool jobs_load(void)
{
	text_len = read_file(JOBS_FILE, text, sizeof(text));
	return text_len > 0;
}

bool jobs_are_batch(void)
{
	return text[0] == 'n' && text[1];
}

static void job_string(char *s)
{
	char *rest = s + 1;

	switch (s[0]) {
	case 'x':
		job.path = rest;
		break;
	case 'a':
		if (job.argc < MAX_ARGS)
			job.argv[job.argc++] = rest;
		break;
	case 'e':
		if (job.envc < MAX_ARGS)
			job.envp[job.envc++] = rest;
		break;
	case 'd':
		job.dir = rest;
		break;
	case 't':
		job.seconds = atol(rest);
		break;
	case 'u':
		job.user = strtoul(rest, NULL, 10);
		break;
	case 'i':
		job.input = rest;
		break;
	case 'c':
		job.console = strcmp(rest, "raw") ? CONSOLE_COOKED : CONSOLE_RAW;
		break;
	case 's':
		job.swap = rest;
		break;
	case 'r':
		job.trace = rest;
		break;
	case 'w':
		sscanf(rest, "%hu %hu", &job.size.ws_row, &job.size.ws_col);
		break;
	}
}

const struct job *jobs_next(void)
{
	memset(&job, 0, sizeof(job));
	while (text_at < text_len) {
		char *s = text + text_at;

		if (s[0] == 'n') {
			if (job.name)
				break;
			job.name = s + 1;
		} else if (job.name) {
			job_string(s);
		}
		text_at += strlen(s) + 1;
	}
	if (!job.path)
		job.path = job.argv[0];
	return job.name && job.path ? &job : NULL;
}
