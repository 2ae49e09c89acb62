/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "control.h"

#define CHUNK 1024 /* bytes on the way at a time: less than a terminal's buffer */

static struct {
	int fd;		   /* the pipe's writing end, -1 when there is none (any more) */
	bool asked;	   /* "in" was sent, the answer has not come */
	size_t want;	   /* bytes of the answer still to come */
	size_t have, done; /* of buf: received, written to the pipe */
	char buf[CHUNK];
	char line[16]; /* of the answer's head */
	size_t line_len;
} input = { .fd = -1 };

void input_begin(int pipe_end)
{
	input.fd = pipe_end;
}

void input_end(void)
{
	if (input.fd >= 0)
		close(input.fd);
	input.fd = -1;
}

bool input_awaited(void)
{
	return input.asked;
}

int input_pipe(void)
{
	return input.asked ? -1 : input.fd;
}

/* The answer's head, a count, is complete. */
static void begin_chunk(void)
{
	input.line[input.line_len] = 0;
	input.line_len = 0;
	input.have = input.done = 0;
	input.want = strtoul(input.line, NULL, 10);
	if (input.want > CHUNK)
		input.want = CHUNK;
	if (!input.want) {
		input.asked = false;
		input_end();
	}
}

static void take_byte(char c)
{
	if (input.want) {
		input.buf[input.have++] = c;
		input.asked = --input.want;
	} else if (c == '\n') {
		begin_chunk();
	} else if (input.line_len < sizeof(input.line) - 1) {
		input.line[input.line_len++] = c;
	}
}

void input_receive(void)
{
	char data[256];
	ssize_t n = read(control_fd(), data, sizeof(data));

	for (ssize_t i = 0; i < n; i++)
		take_byte(data[i]);
}

void input_pass_on(void)
{
	ssize_t n;

	if (input_pipe() < 0)
		return;
	if (input.done < input.have) {
		n = write(input.fd, input.buf + input.done, input.have - input.done);
		if (n > 0)
			input.done += n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			input_end();
	}
	if (input.done == input.have && input.fd >= 0) {
		input.asked = true;
		report("in\n");
	}
}
