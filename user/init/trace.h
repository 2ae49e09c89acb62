/* SPDX-License-Identifier: MIT
 *
 * Tracing of a job, for ./run --trace: the host reads the records out of our memory.
 */
#ifndef USER_INIT_TRACE_H
#define USER_INIT_TRACE_H

#include "jobs.h"

/* Before the job: memory and events as it asks for, without tracing yet. Nothing when it does not. */
void trace_prepare(const struct job *job);

/* In the child, which is the first thing to be traced. */
void trace_start(const struct job *job);

/* After it. */
void trace_stop(const struct job *job);

#endif
