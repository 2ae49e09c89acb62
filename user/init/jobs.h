/* SPDX-License-Identifier: MIT
 *
 * The list of jobs that ./run put into /etc/faultline/jobs (tools/mkinitramfs.py writes it): NUL-terminated
 * strings, whose first letter says what the rest is.
 *
 *	n NAME		begins a job (all that follows up to the next n belongs to it)
 *	x PATH		what to execute (without: argv[0] as a path)
 *	a ARGUMENT	argv, in order		e NAME=VALUE	environment
 *	d DIRECTORY	to start in		t SECONDS	when to give up
 *	u UID		who it runs as, without capabilities when that is not 0 (without: root)
 *	i PATH		standard input: a file, or "-" for what the host sends; without: /dev/null
 *	c cooked|raw	standard streams are the console, as a terminal or without any processing
 *	w ROWS COLUMNS	the console's size
 *	s DEVICE	swap space to be switched on first
 *	r KIB EVENTS	to be traced while it runs: memory for each CPU's events, and which (set_event's words)
 *
 * A list whose first job has a name is a batch: memory is counted around each of its jobs.
 */
#ifndef USER_INIT_JOBS_H
#define USER_INIT_JOBS_H

#include <stdbool.h>
#include <sys/ioctl.h>

#define MAX_ARGS 1024

enum console { CONSOLE_NONE, CONSOLE_RAW, CONSOLE_COOKED };

/* One job; what the list does not say is NULL, 0 or CONSOLE_NONE. */
struct job {
	char *name, *path, *dir, *input, *swap, *trace;
	char *argv[MAX_ARGS + 1], *envp[MAX_ARGS + 1];
	int argc, envc;
	long seconds;
	unsigned int user;
	enum console console;
	struct winsize size;
};

/* Reads the list; false when there is none. */
bool jobs_load(void);

/* Whether the list is a batch. */
bool jobs_are_batch(void);

/* The next job of the list, valid until the next call; NULL at the end. */
const struct job *jobs_next(void);

#endif
