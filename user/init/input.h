/* SPDX-License-Identifier: MIT
 *
 * Standard input that the host sends over the control line: a chunk each time that init asks ("in"), which it
 * does when the job's pipe has taken the chunk before.
 */
#ifndef USER_INIT_INPUT_H
#define USER_INIT_INPUT_H

#include <stdbool.h>

/* Input goes into the writing end of a pipe from now on, which must not block. */
void input_begin(int pipe_end);

/* Closes the pipe, if it still is open. */
void input_end(void);

/* A chunk is awaited: input_receive() is to be called when the control line has something to read. */
bool input_awaited(void);
void input_receive(void);

/* The pipe to call input_pass_on() for when it can be written to; -1: not now. */
int input_pipe(void);
void input_pass_on(void);

#endif
