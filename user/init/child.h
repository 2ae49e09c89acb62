/* SPDX-License-Identifier: MIT
 *
 * The process that becomes a job, and how init waits for it.
 */
#ifndef USER_INIT_CHILD_H
#define USER_INIT_CHILD_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "jobs.h"

/* SIGCHLD is blocked but while wait_for_events() sleeps, so that no end of a child is missed. */
void children_init(void);

/* In the child, which has its standard streams: executes the job, or says on standard error why it cannot. */
__attribute__((noreturn)) void become_job(const struct job *job);

/* When the job is to be given up, as now_ms() counts; 0: never. */
long job_deadline(const struct job *job);

/* Sleeps until a descriptor is ready, a child ended, or the deadline (0: none) came; false when it has come. */
bool wait_for_events(struct pollfd *fds, int n, long deadline);

/* Reaps whoever ended; true, and a shell's $?, when pid was among them. */
bool reap(pid_t pid, int *status);

/* Ends and reaps every process but this one. */
void kill_everyone(void);

#endif
