/* SPDX-License-Identifier: MIT
 *
 * A terminal: a serial port, its settings, its session, and the line discipline between port and programs.
 *
 * Lock letters: [I] fixed after tty_init(), [l] tty->lock, [T] tasklist_lock, [A] atomic or one word
 * read without a lock. Order: tty->lock, then the port's lock. tasklist_lock is never taken inside tty->lock.
 */
#ifndef DRIVERS_TTY_H
#define DRIVERS_TTY_H

#include <drivers/serial.h>
#include <fs/vfs.h>
#include <kernel/wait.h>
#include <sync/spinlock.h>
#include <uapi/ioctl.h>
#include <uapi/termios.h>

#define N_TTY_BUF_SIZE 4096 /* a power of two: positions run freely and are masked */

/*
 * What has been received. In canonical mode [tail, canon_head) are complete lines, whose last characters
 * are marked in line_ends, and [canon_head, head) is the line being edited.
 */
struct n_tty {
	u32 tail, canon_head, head; /* [l] */
	u64 line_ends[N_TTY_BUF_SIZE /
		      64];	/* [l] bit: this character ends a line; a 0 is an end of file */
	u32 column;		/* [l] where the cursor is, for tabs and erasing them */
	u32 canon_column;	/* [l] where the line being edited began */
	bool lnext;		/* [l] the next character is taken literally */
	bool throttled;		/* [l] input waits in the port until a reader makes room */
	u16 echo_len;		/* [l] */
	u8 echo[128];		/* [l] echo not yet handed to the port */
	u8 buf[N_TTY_BUF_SIZE]; /* [l] */
};

struct tty {
	u64 rdev;		  /* [I] */
	struct serial_port *port; /* [I] */
	int session, pgrp;	  /* [T] 0: nobody's controlling terminal */
	spinlock_t lock;
	struct ktermios termios; /* [l] */
	u32 speed;		 /* [l] baud */
	struct winsize winsize;	 /* [l] */
	bool stopped;		 /* [l] by VSTOP or TCOOFF */
	bool input_pending;	 /* [A] the port has something for n_tty_receive() */
	struct wait_queue read_wait, write_wait;
	struct n_tty n_tty;
};

/* Terminals on the serial ports that exist, their device nodes, interrupts on. */
void tty_init(void);

/* ---- tty.c, for the line discipline ---- */

/* Makes the terminal thread call n_tty_receive() soon. Any context. */
void tty_kick(struct tty *tty);
/*
 * Job control: may the caller do what sends sig (SIGTTIN to read, SIGTTOU to write or to change) to a
 * background process? 0, -EIO, or -ERESTARTSYS when the signal was sent to its group.
 */
int tty_check_background(struct tty *tty, int sig);
/* Signals the foreground group. */
void tty_signal_foreground(struct tty *tty, int sig);
/* Holds output back, or lets it go on. */
void tty_stop(struct tty *tty, bool stop);

/* ---- n_tty.c ---- */

void n_tty_init(struct tty *tty);
/* Moves what the port received through the input rules. Called by the terminal thread alone. */
void n_tty_receive(struct tty *tty);
/* Bytes, 0 at end of file, -EAGAIN (O_NONBLOCK), -ERESTARTSYS, -EIO, -EFAULT. May sleep. */
ssize_t n_tty_read(struct tty *tty, bool nonblock, char __user *buf, size_t n);
ssize_t n_tty_write(struct tty *tty, bool nonblock, const char __user *buf, size_t n);
/* read() would not wait. */
bool n_tty_readable(struct tty *tty);
/* For FIONREAD: what read() could return now, bytes. */
size_t n_tty_chars(struct tty *tty);
/* Forgets what was received and not read. */
void n_tty_flush_input(struct tty *tty);
/* Makes new settings (and the speed) valid. */
void n_tty_set_termios(struct tty *tty, const struct ktermios *new, u32 speed);

#endif
