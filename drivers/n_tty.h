/* SPDX-License-Identifier: MIT
 *
 * What the two halves of the line discipline share: n_tty.c (input) and n_tty_output.c (output and echo).
 * All of it is for holders of tty->lock.
 */
#ifndef DRIVERS_N_TTY_H
#define DRIVERS_N_TTY_H

#include <drivers/tty.h>

#define N_TTY_IO_CHUNK 512 /* what read() and write() move at a time, on the kernel stack */

static inline bool is_control(u8 c)
{
	return c < 0x20 || c == 0x7f;
}

/* The second and further bytes of a UTF-8 character take no column of their own. */
static inline bool is_continuation(const struct tty *tty, u8 c)
{
	return (tty->termios.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

static inline bool tty_lflag(const struct tty *tty, u32 bits)
{
	return (tty->termios.c_lflag & bits) == bits;
}

/* ---- echo: collected and handed to the port in one go, after the same translation as output ---- */

void echo_raw(struct tty *tty, u8 c);
void echo_string(struct tty *tty, const char *s);
/* A control character shows as ^X when ECHOCTL asks for it. */
void echo_char(struct tty *tty, u8 c);
/* Before the echo of each character of a line: notes where the line being edited begins. */
void echo_note_line_start(struct tty *tty);
void echo_flush(struct tty *tty);

#endif
