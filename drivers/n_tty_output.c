/* SPDX-License-Identifier: MIT
 *
 * The line discipline's way out: write() and echo, translated by c_oflag. The column of the cursor is
 * followed, because tabs and their erasure depend on it.
 */
#include <arch/uaccess.h>
#include <drivers/n_tty.h>
#include <kern/err.h>
#include <kern/string.h>

static u8 to_upper(u8 c)
{
	return c >= 'a' && c <= 'z' ? c - 32 : c;
}

/* ---- output ---- */

/* Translates one character by c_oflag into at most 8. tty->lock held. Returns how many. */
static size_t opost(struct tty *tty, u8 c, u8 *out)
{
	u32 oflag = tty->termios.c_oflag, *column = &tty->n_tty.column;

	switch (c) {
	case '\n':
		if (oflag & (ONLCR | ONLRET))
			*column = 0;
		if (oflag & ONLCR) {
			out[0] = '\r';
			out[1] = '\n';
			return 2;
		}
		break;
	case '\r':
		if ((oflag & ONOCR) && *column == 0)
			return 0;
		if (oflag & OCRNL) {
			c = '\n';
			if (oflag & ONLRET)
				*column = 0;
			break;
		}
		*column = 0;
		break;
	case '\t': {
		u32 spaces = 8 - (*column & 7);

		*column += spaces;
		if ((oflag & TABDLY) == XTABS) {
			memset(out, ' ', spaces);
			return spaces;
		}
		break;
	}
	case '\b':
		if (*column)
			(*column)--;
		break;
	default:
		if (is_control(c))
			break;
		if (oflag & OLCUC)
			c = to_upper(c);
		if (!is_continuation(tty, c))
			(*column)++;
	}
	out[0] = c;
	return 1;
}

/* Hands as much of buf to the port as it takes. tty->lock held. Returns bytes of buf done. */
static size_t output(struct tty *tty, const u8 *buf, size_t n)
{
	size_t done = 0;

	if (!(tty->termios.c_oflag & OPOST))
		return serial_write(tty->port, buf, n);
	while (done < n) {
		u8 out[256];
		size_t len = 0, room = min(serial_write_room(tty->port), sizeof(out));

		if (room < 8)
			break;
		while (done < n && len + 8 <= room)
			len += opost(tty, buf[done++], out + len);
		/* Only holders of tty->lock fill the port's queue: what had room still has. */
		(void)serial_write(tty->port, out, len);
	}
	return done;
}

/* ---- echo. tty->lock held throughout ---- */

void echo_flush(struct tty *tty)
{
	struct n_tty *t = &tty->n_tty;

	if (t->echo_len)
		(void)output(tty, t->echo, t->echo_len);
	t->echo_len = 0;
}

void echo_raw(struct tty *tty, u8 c)
{
	struct n_tty *t = &tty->n_tty;

	if (t->echo_len == sizeof(t->echo))
		echo_flush(tty);
	t->echo[t->echo_len++] = c;
}

void echo_string(struct tty *tty, const char *s)
{
	while (*s)
		echo_raw(tty, (u8)*s++);
}

void echo_char(struct tty *tty, u8 c)
{
	if (tty_lflag(tty, ECHOCTL) && is_control(c) && c != '\t') {
		echo_raw(tty, '^');
		c ^= 0x40;
	}
	echo_raw(tty, c);
}

void echo_note_line_start(struct tty *tty)
{
	struct n_tty *t = &tty->n_tty;

	if (t->head == t->canon_head) {
		echo_flush(tty);
		t->canon_column = t->column;
	}
}

/* ---- writing ---- */

/* Hands a kernel buffer to the port, waiting for room. Bytes done, or -errno when none. */
static ssize_t write_chunk(struct tty *tty, bool nonblock, const u8 *buf, size_t n)
{
	size_t done = 0;

	for (;;) {
		spin_lock(&tty->lock);
		done += output(tty, buf + done, n - done);
		spin_unlock(&tty->lock);
		if (done == n)
			return (ssize_t)done;
		if (nonblock)
			return done ? (ssize_t)done : -EAGAIN;
		if (wait_event_interruptible(&tty->write_wait,
					     serial_write_room(tty->port) >= N_TTY_IO_CHUNK))
			return done ? (ssize_t)done : -ERESTARTSYS;
	}
}

ssize_t n_tty_write(struct tty *tty, bool nonblock, const char __user *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		u8 chunk[N_TTY_IO_CHUNK];
		size_t want = min(n - done, sizeof(chunk));
		size_t have = want - copy_from_user(chunk, buf + done, want);
		ssize_t sent;

		if (!have)
			return done ? (ssize_t)done : -EFAULT;
		sent = write_chunk(tty, nonblock, chunk, have);
		if (sent < 0)
			return done ? (ssize_t)done : sent;
		done += (size_t)sent;
		if ((size_t)sent < have)
			break;
		cond_resched();
	}
	return (ssize_t)done;
}
