/* SPDX-License-Identifier: MIT
 *
 * The line discipline: what lies between the characters of a serial line and read() and write()
 * (POSIX.1-2017, chapter 11; termios(3)).
 *
 * Input is interpreted when it arrives, by the terminal thread: signals, flow control, editing, echo. Readers only
 * take from the buffer. When no line is complete and the buffer is full, further characters
 * are dropped with a bell; when complete lines fill it, input stays in the port until somebody reads.
 */
#include <arch/uaccess.h>
#include <drivers/n_tty.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/signal.h>
#include <kernel/timer.h>

#define MASK (N_TTY_BUF_SIZE - 1)
#define DECISECOND_NS 100000000ULL

/* ---- characters ---- */

static bool is_word(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c >= 0x80;
}

static u8 to_lower(u8 c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool is_cc(const struct tty *tty, unsigned int which, u8 c)
{
	return c == tty->termios.c_cc[which] && c != _POSIX_VDISABLE;
}

/* ---- the buffer. tty->lock held throughout ---- */

static u8 char_at(const struct n_tty *t, u32 pos)
{
	return t->buf[pos & MASK];
}

static bool ends_line(const struct n_tty *t, u32 pos)
{
	return t->line_ends[(pos & MASK) / 64] >> (pos % 64) & 1;
}

static void mark_line_end(struct n_tty *t, u32 pos, bool on)
{
	u64 bit = 1ULL << (pos % 64);

	if (on)
		t->line_ends[(pos & MASK) / 64] |= bit;
	else
		t->line_ends[(pos & MASK) / 64] &= ~bit;
}

static void put(struct tty *tty, u8 c)
{
	struct n_tty *t = &tty->n_tty;

	mark_line_end(t, t->head, false);
	t->buf[t->head++ & MASK] = c;
}

/* The last free place is kept for the character that ends the line. */
static bool has_room(struct tty *tty, u32 need)
{
	const struct n_tty *t = &tty->n_tty;

	if (N_TTY_BUF_SIZE - (t->head - t->tail) > need)
		return true;
	if (tty->termios.c_iflag & IMAXBEL)
		echo_raw(tty, '\a');
	return false;
}

static void put_line_end(struct tty *tty, u8 c)
{
	struct n_tty *t = &tty->n_tty;

	put(tty, c);
	mark_line_end(t, t->head - 1, true);
	t->canon_head = t->head;
}

static void reset_input(struct n_tty *t)
{
	t->tail = t->canon_head = t->head;
	t->lnext = false;
	memset(t->line_ends, 0, sizeof(t->line_ends));
}

/* How many characters may be taken from the port now; 0 throttles. */
static size_t input_room(const struct tty *tty)
{
	const struct n_tty *t = &tty->n_tty;
	u32 used = t->head - t->tail;

	if (used < N_TTY_BUF_SIZE - 1)
		return N_TTY_BUF_SIZE - 1 - used;
	return tty_lflag(tty, ICANON) && t->canon_head == t->tail ? 1 : 0;
}

/* ---- editing the line. tty->lock held throughout ---- */

/* The column behind the line being edited, as if it ended at pos. */
static u32 column_at(const struct tty *tty, u32 pos)
{
	const struct n_tty *t = &tty->n_tty;
	u32 column = t->canon_column;

	for (u32 i = t->canon_head; i != pos; i++) {
		u8 c = char_at(t, i);

		if (c == '\t')
			column = (column | 7) + 1;
		else if (is_control(c))
			column += tty_lflag(tty, ECHOCTL) ? 2 : 0;
		else if (!is_continuation(tty, c))
			column++;
	}
	return column;
}

static void echo_erased(struct tty *tty, u8 c)
{
	if (c == '\t') {
		u32 back;

		echo_flush(tty);
		back = tty->n_tty.column - min(column_at(tty, tty->n_tty.head), tty->n_tty.column);
		while (back--)
			echo_raw(tty, '\b');
		return;
	}
	if (is_control(c)) {
		if (!tty_lflag(tty, ECHOCTL))
			return;
		echo_string(tty, "\b \b");
	}
	echo_string(tty, "\b \b");
}

/* Takes the last character (all of its bytes) off the line. Returns its first byte. */
static u8 erase_char(struct tty *tty)
{
	struct n_tty *t = &tty->n_tty;
	u8 c;

	do
		c = char_at(t, --t->head);
	while (is_continuation(tty, c) && t->head != t->canon_head);
	return c;
}

static void erase_word(struct tty *tty)
{
	struct n_tty *t = &tty->n_tty;
	bool in_word = false;

	while (t->head != t->canon_head) {
		bool word = is_word(char_at(t, t->head - 1));
		u8 c;

		if (in_word && !word)
			break;
		in_word = word;
		c = erase_char(tty);
		if (tty_lflag(tty, ECHO))
			echo_erased(tty, c);
	}
}

static void kill_line(struct tty *tty, u8 kill)
{
	struct n_tty *t = &tty->n_tty;

	if (tty_lflag(tty, ECHO | ECHOK | ECHOKE | ECHOE)) {
		while (t->head != t->canon_head)
			echo_erased(tty, erase_char(tty));
		return;
	}
	t->head = t->canon_head;
	if (tty_lflag(tty, ECHO)) {
		echo_char(tty, kill);
		if (tty_lflag(tty, ECHOK))
			echo_raw(tty, '\n');
	}
}

static void erase_last(struct tty *tty, u8 erase)
{
	u8 c = erase_char(tty);

	if (tty_lflag(tty, ECHO | ECHOE))
		echo_erased(tty, c);
	else if (tty_lflag(tty, ECHO))
		echo_char(tty, erase);
}

static void reprint_line(struct tty *tty, u8 c)
{
	const struct n_tty *t = &tty->n_tty;

	echo_char(tty, c);
	echo_raw(tty, '\n');
	for (u32 i = t->canon_head; i != t->head; i++)
		echo_char(tty, char_at(t, i));
}

/* ---- input ---- */

/* The lock is dropped meanwhile: tasklist_lock is not taken inside it. Only the terminal thread comes here. */
static void receive_signal(struct tty *tty, int sig, u8 c)
{
	spin_unlock(&tty->lock);
	tty_signal_foreground(tty, sig);
	spin_lock(&tty->lock);
	if (!tty_lflag(tty, NOFLSH)) {
		reset_input(&tty->n_tty);
		tty->n_tty.echo_len = 0;
		serial_discard_output(tty->port);
		wake_up(&tty->write_wait);
	}
	if (tty->termios.c_iflag & IXON)
		tty_stop(tty, false);
	if (tty_lflag(tty, ECHO)) {
		echo_char(tty, c);
		echo_flush(tty);
	}
}

/* Flow control and signals. Returns true when that was all there is to c. */
static bool receive_special(struct tty *tty, u8 c)
{
	if (tty->termios.c_iflag & IXON) {
		if (is_cc(tty, VSTART, c)) {
			tty_stop(tty, false);
			return true;
		}
		if (is_cc(tty, VSTOP, c)) {
			tty_stop(tty, true);
			return true;
		}
	}
	if (tty_lflag(tty, ISIG)) {
		int sig = is_cc(tty, VINTR, c)	 ? SIGINT
			  : is_cc(tty, VQUIT, c) ? SIGQUIT
			  : is_cc(tty, VSUSP, c) ? SIGTSTP
						 : 0;

		if (sig) {
			receive_signal(tty, sig, c);
			return true;
		}
	}
	return false;
}

/* Editing characters and line ends of canonical mode. Returns true when that was all there is to c. */
static bool receive_canonical(struct tty *tty, u8 c)
{
	struct n_tty *t = &tty->n_tty;
	bool extended = tty_lflag(tty, IEXTEN);

	if (is_cc(tty, VERASE, c) || is_cc(tty, VKILL, c) || (extended && is_cc(tty, VWERASE, c))) {
		if (t->head == t->canon_head)
			return true;
		if (is_cc(tty, VERASE, c))
			erase_last(tty, c);
		else if (is_cc(tty, VKILL, c))
			kill_line(tty, c);
		else
			erase_word(tty);
		return true;
	}
	if (extended && is_cc(tty, VLNEXT, c)) {
		t->lnext = true;
		if (tty_lflag(tty, ECHO | ECHOCTL))
			echo_string(tty, "^\b");
		return true;
	}
	if (extended && tty_lflag(tty, ECHO) && is_cc(tty, VREPRINT, c)) {
		reprint_line(tty, c);
		return true;
	}
	if (c == '\n') {
		if (has_room(tty, 0)) {
			if (tty_lflag(tty, ECHO) || tty_lflag(tty, ECHONL))
				echo_raw(tty, '\n');
			put_line_end(tty, c);
		}
		return true;
	}
	if (is_cc(tty, VEOF, c)) {
		if (has_room(tty, 0))
			put_line_end(tty, 0);
		return true;
	}
	if (is_cc(tty, VEOL, c) || (extended && is_cc(tty, VEOL2, c))) {
		if (has_room(tty, 0)) {
			if (tty_lflag(tty, ECHO)) {
				echo_note_line_start(tty);
				echo_char(tty, c);
			}
			put_line_end(tty, c);
		}
		return true;
	}
	return false;
}

static void receive_ordinary(struct tty *tty, u8 c)
{
	if (!has_room(tty, 1))
		return;
	if (tty_lflag(tty, ECHO)) {
		echo_note_line_start(tty);
		if (c == '\n')
			echo_raw(tty, c);
		else
			echo_char(tty, c);
	}
	put(tty, c);
}

static void receive_char(struct tty *tty, u8 c)
{
	u32 iflag = tty->termios.c_iflag;

	if (iflag & ISTRIP)
		c &= 0x7f;
	if ((iflag & IUCLC) && tty_lflag(tty, IEXTEN))
		c = to_lower(c);
	if (tty->n_tty.lnext) {
		tty->n_tty.lnext = false;
		receive_ordinary(tty, c);
		return;
	}
	if (receive_special(tty, c))
		return;
	if (tty->stopped && (iflag & IXON) && (iflag & IXANY))
		tty_stop(tty, false);

	if (c == '\r') {
		if (iflag & IGNCR)
			return;
		if (iflag & ICRNL)
			c = '\n';
	} else if (c == '\n' && (iflag & INLCR)) {
		c = '\r';
	}
	if (tty_lflag(tty, ICANON) && receive_canonical(tty, c))
		return;
	receive_ordinary(tty, c);
}

void n_tty_receive(struct tty *tty)
{
	for (;;) {
		u8 chunk[64];
		size_t n;

		spin_lock(&tty->lock);
		n = min(input_room(tty), sizeof(chunk));
		tty->n_tty.throttled = n == 0;
		n = n ? serial_read(tty->port, chunk, n) : 0;
		if (tty->termios.c_cflag & CREAD)
			for (size_t i = 0; i < n; i++)
				receive_char(tty, chunk[i]);
		echo_flush(tty);
		spin_unlock(&tty->lock);
		if (!n)
			return;
		wake_up(&tty->read_wait);
		cond_resched();
	}
}

/* ---- reading ---- */

/* tty->lock held. poll: as many as VMIN asks for, instead of any. */
static bool input_available(const struct tty *tty, bool poll)
{
	const struct n_tty *t = &tty->n_tty;
	const u8 *cc = tty->termios.c_cc;

	if (tty_lflag(tty, ICANON))
		return t->canon_head != t->tail;
	return t->head - t->tail >= (poll && !cc[VTIME] && cc[VMIN] ? cc[VMIN] : 1u);
}

bool n_tty_readable(struct tty *tty)
{
	bool ready;

	spin_lock(&tty->lock);
	ready = input_available(tty, true);
	spin_unlock(&tty->lock);
	return ready;
}

static bool readable_now(struct tty *tty)
{
	bool ready;

	spin_lock(&tty->lock);
	ready = input_available(tty, false);
	spin_unlock(&tty->lock);
	return ready;
}

size_t n_tty_chars(struct tty *tty)
{
	struct n_tty *t = &tty->n_tty;
	size_t n = 0;

	spin_lock(&tty->lock);
	if (tty_lflag(tty, ICANON)) {
		for (u32 i = t->tail; i != t->canon_head; i++)
			n += !(ends_line(t, i) && char_at(t, i) == 0);
	} else {
		n = t->head - t->tail;
	}
	spin_unlock(&tty->lock);
	return n;
}

/* Takes from the first complete line. *ended: its end was reached. tty->lock held. Returns bytes in out. */
static size_t take_line(struct n_tty *t, u8 *out, size_t n, bool *ended)
{
	size_t got = 0;

	while (t->tail != t->canon_head && !*ended) {
		bool end = ends_line(t, t->tail);
		u8 c = char_at(t, t->tail);

		if (end && c == 0) {
			*ended = true;
			t->tail++;
			break;
		}
		if (got == n)
			break;
		out[got++] = c;
		*ended = end;
		t->tail++;
	}
	return got;
}

static size_t take_raw(struct n_tty *t, u8 *out, size_t n)
{
	size_t got = 0;

	while (got < n && t->tail != t->head)
		out[got++] = char_at(t, t->tail++);
	if (t->canon_head - t->tail > t->head - t->tail)
		t->canon_head = t->tail;
	return got;
}

/* Takes up to n bytes by the rules of the present mode, and lets waiting input in. */
static size_t take(struct tty *tty, u8 *out, size_t n, bool *ended)
{
	bool kick;
	size_t got;

	spin_lock(&tty->lock);
	if (tty_lflag(tty, ICANON))
		got = take_line(&tty->n_tty, out, n, ended);
	else
		got = take_raw(&tty->n_tty, out, n);
	kick = tty->n_tty.throttled;
	spin_unlock(&tty->lock);
	if (kick)
		tty_kick(tty);
	return got;
}

/* Wakes a reader whose VTIME is over. */
struct read_timer {
	struct timer timer;
	struct tty *tty;
	bool expired;
};

static void read_timer_func(struct timer *timer)
{
	struct read_timer *rt = container_of(timer, struct read_timer, timer);

	WRITE_ONCE(rt->expired, true);
	wake_up(&rt->tty->read_wait);
}

/* Waits for input; timeout_ns 0: without limit. 1 when there is some, 0 when time is over, -ERESTARTSYS. */
static int wait_input(struct tty *tty, u64 timeout_ns)
{
	struct read_timer rt = { .timer = { .func = read_timer_func }, .tty = tty };
	int ret;

	if (!timeout_ns) {
		ret = wait_event_interruptible(&tty->read_wait, readable_now(tty));
		return ret ? ret : 1;
	}
	timer_set(&rt.timer, clock_ns() + timeout_ns);
	ret = wait_event_interruptible(&tty->read_wait, readable_now(tty) || READ_ONCE(rt.expired));
	(void)timer_cancel(&rt.timer);
	if (ret)
		return ret;
	return readable_now(tty) ? 1 : 0;
}

/* What to do when nothing is there: 1 look again, 0 the read is over, or -errno. */
static int read_more(struct tty *tty, bool nonblock, size_t done)
{
	const struct ktermios *t = &tty->termios;
	u64 time_ns = t->c_cc[VTIME] * DECISECOND_NS;
	u64 timeout_ns = 0;

	if (!(t->c_lflag & ICANON)) {
		if (!t->c_cc[VMIN]) {
			if (!time_ns)
				return readable_now(tty);
			timeout_ns = time_ns;
		} else if (done) {
			timeout_ns = time_ns;
		}
	}
	if (readable_now(tty))
		return 1;
	if (nonblock)
		return -EAGAIN;
	return wait_input(tty, timeout_ns);
}

/* done bytes satisfy a read in the present mode. */
static bool read_satisfied(const struct tty *tty, size_t done)
{
	const struct ktermios *t = &tty->termios;

	return (t->c_lflag & ICANON) || done >= max((size_t)t->c_cc[VMIN], (size_t)1);
}

ssize_t n_tty_read(struct tty *tty, bool nonblock, char __user *buf, size_t n)
{
	size_t done = 0;
	bool ended = false;

	if (!n)
		return 0;
	for (;;) {
		u8 chunk[N_TTY_IO_CHUNK];
		size_t got = take(tty, chunk, min(n - done, sizeof(chunk)), &ended);
		int more;

		if (got && copy_to_user(buf + done, chunk, got))
			return done ? (ssize_t)done : -EFAULT;
		done += got;
		if (ended || done == n)
			return (ssize_t)done;
		if (got == sizeof(chunk))
			continue;
		if (done && read_satisfied(tty, done))
			return (ssize_t)done;
		more = read_more(tty, nonblock, done);
		if (more <= 0)
			return done ? (ssize_t)done : more;
	}
}

/* ---- settings ---- */

void n_tty_flush_input(struct tty *tty)
{
	spin_lock(&tty->lock);
	serial_discard_input(tty->port);
	reset_input(&tty->n_tty);
	spin_unlock(&tty->lock);
}

/*
 * What was received under the other mode: going canonical, it becomes a line of its own, without a
 * newline; leaving it, everything can be read at once.
 */
static void switch_canonical(struct tty *tty)
{
	struct n_tty *t = &tty->n_tty;

	memset(t->line_ends, 0, sizeof(t->line_ends));
	t->canon_head = t->tail;
	t->lnext = false;
	if (tty_lflag(tty, ICANON) && t->head != t->tail) {
		t->canon_head = t->head;
		mark_line_end(t, t->head - 1, true);
	}
}

void n_tty_set_termios(struct tty *tty, const struct ktermios *new, u32 speed)
{
	u32 changed;

	spin_lock(&tty->lock);
	changed = tty->termios.c_lflag ^ new->c_lflag;
	if (tty->termios.c_cflag != new->c_cflag || tty->speed != speed)
		serial_set_line(tty->port, new->c_cflag, speed);
	tty->termios = *new;
	tty->speed = speed;
	if (changed & ICANON)
		switch_canonical(tty);
	if (tty->stopped && !(new->c_iflag &IXON))
		tty_stop(tty, false);
	spin_unlock(&tty->lock);
	tty_kick(tty);
	wake_up(&tty->read_wait);
}

void n_tty_init(struct tty *tty)
{
	reset_input(&tty->n_tty);
}
