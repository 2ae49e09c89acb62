/* SPDX-License-Identifier: MIT
 *
 * A job without a console has pipes for its standard streams, so that isatty() says what it would say on the
 * host; their contents travel in frames over the control line.
 */
#ifndef USER_INIT_STREAMS_H
#define USER_INIT_STREAMS_H

#include "jobs.h"

/* Runs the job in a session of its own; a shell's $?, 124 when it took too long, 126 when it could not start. */
int run_in_streams(const struct job *job);

#endif
