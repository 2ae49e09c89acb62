/* SPDX-License-Identifier: MIT
 *
 * Running a job of the list. Both return a shell's $?, 124 when it took too long, 126 when it could not start.
 */
#ifndef USER_INIT_RUN_H
#define USER_INIT_RUN_H

#include "jobs.h"

/* On the console or with pipes, as the job asks for. */
int run_job(const struct job *job);

/*
 * The same between "begin" and "end", with memory counted before and after; in between every process that the
 * job left is ended and its temporary files are removed.
 */
int run_batch_job(const struct job *job);

#endif
