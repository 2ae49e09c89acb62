/* SPDX-License-Identifier: MIT
 *
 * Terminals as files: /dev/ttyS0, /dev/ttyS1, /dev/console (the one that console= names) and /dev/tty (the
 * caller's controlling terminal). Opening, job control and ioctl() are here; characters are n_tty.c's.
 *
 * Received characters are interpreted by one kernel thread for all terminals, because signalling
 * a process group takes tasklist_lock, which interrupts must not.
 */
#include <arch/uaccess.h>
#include <drivers/tty.h>
#include <kern/err.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <kernel/session.h>
#include <kernel/signal.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <uapi/poll.h>

#define RDEV_TTY MKDEV(5, 0)
#define RDEV_CONSOLE MKDEV(5, 1)
#define RDEV_TTYS(n) MKDEV(4, 64 + (n))

static struct tty ttys[NR_SERIAL];
static struct tty *console_tty; /* NULL: the machine has no serial port */
static struct wait_queue tty_work = WAIT_QUEUE_INIT(tty_work);

/* ---- the terminal thread ---- */

void tty_kick(struct tty *tty)
{
	WRITE_ONCE(tty->input_pending, true);
	wake_up(&tty_work);
}

static bool tty_work_pending(void)
{
	for (unsigned int i = 0; i < NR_SERIAL; i++)
		if (READ_ONCE(ttys[i].input_pending))
			return true;
	return false;
}

static void tty_thread(void *arg __maybe_unused)
{
	for (;;) {
		wait_event(&tty_work, tty_work_pending());
		for (unsigned int i = 0; i < NR_SERIAL; i++) {
			struct tty *tty = &ttys[i];

			if (!__atomic_exchange_n(&tty->input_pending, false, __ATOMIC_ACQ_REL))
				continue;
			n_tty_receive(tty);
		}
	}
}

static void port_received(void *arg)
{
	tty_kick(arg);
}

static void port_transmitted(void *arg)
{
	struct tty *tty = arg;

	wake_up(&tty->write_wait);
}

/* ---- output on and off ---- */

void tty_stop(struct tty *tty, bool stop)
{
	if (tty->stopped == stop)
		return;
	tty->stopped = stop;
	serial_stop_output(tty->port, stop);
	if (!stop)
		wake_up(&tty->write_wait);
}

/* Waits until all output has left the chip. 0 or -ERESTARTSYS. */
static int tty_drain(struct tty *tty)
{
	int ret = wait_event_interruptible(&tty->write_wait, !serial_write_pending(tty->port));

	/* The chip raises no interrupt for its last bits: at most a FIFO of them is left. */
	while (!ret && !serial_idle(tty->port))
		ret = sleep_until(clock_ns() + 1000000, PARK_INTERRUPTIBLE);
	return ret;
}

/* ---- sessions and job control ---- */

void tty_signal_foreground(struct tty *tty, int sig)
{
	spin_lock(&tasklist_lock);
	if (tty->pgrp)
		(void)send_signal_pgrp(tty->pgrp, sig, NULL);
	spin_unlock(&tasklist_lock);
}

static bool signal_is_ignored(int sig)
{
	return (READ_ONCE(current->blocked) >> (sig - 1) & 1) ||
	       READ_ONCE(current->process->action[sig - 1].handler) == SIG_IGN;
}

int tty_check_background(struct tty *tty, int sig)
{
	struct process *self = current->process;
	int ret;

	if (READ_ONCE(self->ctty) != tty || !READ_ONCE(tty->pgrp) ||
	    READ_ONCE(self->pgid) == READ_ONCE(tty->pgrp))
		return 0;
	if (signal_is_ignored(sig))
		return sig == SIGTTIN ? -EIO : 0;

	spin_lock(&tasklist_lock);
	if (pgrp_is_orphaned(self->pgid, NULL)) {
		ret = -EIO;
	} else {
		(void)send_signal_pgrp(self->pgid, sig, NULL);
		ret = -ERESTARTSYS;
	}
	spin_unlock(&tasklist_lock);
	return ret;
}

/* tasklist_lock held. */
static void set_ctty(struct tty *tty)
{
	struct process *self = current->process;

	tty->session = self->sid;
	WRITE_ONCE(tty->pgrp, self->pgid);
	self->ctty = tty;
}

static bool file_readable(const struct file *f)
{
	return f->mode & FMODE_READ;
}

static int tiocsctty(struct tty *tty, const struct file *f, bool steal)
{
	struct process *self = current->process, *p;
	int ret = -EPERM;

	spin_lock(&tasklist_lock);
	if (self->sid == self->pid && tty->session == self->sid) {
		ret = 0;
		goto out;
	}
	if (self->sid != self->pid || self->ctty)
		goto out;
	if (tty->session) {
		if (!steal || !capable(CAP_SYS_ADMIN))
			goto out;
		list_for_each_entry(p, &all_processes, node)
			if (p->ctty == tty)
				p->ctty = NULL;
	}
	if (!file_readable(f) && !capable(CAP_SYS_ADMIN))
		goto out;
	set_ctty(tty);
	ret = 0;
out:
	spin_unlock(&tasklist_lock);
	return ret;
}

static int tiocspgrp(struct tty *tty, const void __user *arg)
{
	struct process *self = current->process;
	int ret = tty_check_background(tty, SIGTTOU);
	struct process *p;
	u32 pgid;

	if (ret == -EIO)
		return -ENOTTY;
	if (ret)
		return ret;
	if (READ_ONCE(self->ctty) != tty || READ_ONCE(tty->session) != READ_ONCE(self->sid))
		return -ENOTTY;
	if (get_user_u32(&pgid, arg))
		return -EFAULT;
	if ((int)pgid < 0)
		return -EINVAL;

	spin_lock(&tasklist_lock);
	ret = -ESRCH;
	list_for_each_entry(p, &all_processes, node) {
		if (p->pgid != (int)pgid)
			continue;
		ret = p->sid == self->sid ? 0 : -EPERM;
		break;
	}
	if (!ret)
		WRITE_ONCE(tty->pgrp, (int)pgid);
	spin_unlock(&tasklist_lock);
	return ret;
}

/* ---- settings ---- */

/* Speed codes of c_cflag, in order; those with CBAUDEX begin at 16. */
static const u32 baud_table[] = {
	0,	 50,	  75,	   110,	    134,     150,     200,     300,
	600,	 1200,	  1800,	   2400,    4800,    9600,    19200,   38400,
	57600,	 115200,  230400,  460800,  500000,  576000,  921600,  1000000,
	1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
};

static u32 cflag_baud(u32 cflag, u32 otherwise)
{
	u32 code = cflag & CBAUD;

	if (code == BOTHER)
		return otherwise;
	if (code & CBAUDEX)
		code = (code & ~CBAUDEX) + 15;
	return code < ARRAY_SIZE(baud_table) ? baud_table[code] : otherwise;
}

enum set_when { SET_NOW, SET_DRAINED, SET_FLUSHED };

static int tty_set_termios(struct tty *tty, const struct ktermios2 *new, enum set_when when)
{
	struct ktermios t = new->t;
	int ret;

	if (when != SET_NOW) {
		ret = tty_drain(tty);
		if (ret)
			return ret;
	}
	if (when == SET_FLUSHED)
		n_tty_flush_input(tty);
	n_tty_set_termios(tty, &t, cflag_baud(t.c_cflag, new->c_ospeed));
	return 0;
}

static void tty_get_termios(struct tty *tty, struct ktermios2 *out)
{
	spin_lock(&tty->lock);
	out->t = tty->termios;
	out->c_ispeed = tty->speed;
	out->c_ospeed = tty->speed;
	spin_unlock(&tty->lock);
}

static long ioctl_get_termios(struct tty *tty, void __user *arg, size_t size)
{
	struct ktermios2 t;

	tty_get_termios(tty, &t);
	return copy_to_user(arg, &t, size) ? -EFAULT : 0;
}

static long ioctl_set_termios(struct tty *tty, const void __user *arg, size_t size,
			      enum set_when when)
{
	struct ktermios2 t;
	int ret = tty_check_background(tty, SIGTTOU);

	if (ret)
		return ret;
	tty_get_termios(tty, &t);
	if (copy_from_user(&t, arg, size))
		return -EFAULT;
	return tty_set_termios(tty, &t, when);
}

static long ioctl_set_winsize(struct tty *tty, const void __user *arg)
{
	struct winsize ws;
	bool changed;

	if (copy_from_user(&ws, arg, sizeof(ws)))
		return -EFAULT;
	spin_lock(&tty->lock);
	changed = memcmp(&ws, &tty->winsize, sizeof(ws)) != 0;
	tty->winsize = ws;
	spin_unlock(&tty->lock);
	if (changed)
		tty_signal_foreground(tty, SIGWINCH);
	return 0;
}

static long ioctl_get_winsize(struct tty *tty, void __user *arg)
{
	struct winsize ws;

	spin_lock(&tty->lock);
	ws = tty->winsize;
	spin_unlock(&tty->lock);
	return copy_to_user(arg, &ws, sizeof(ws)) ? -EFAULT : 0;
}

/* ---- breaks, flushing, flow control: background processes get SIGTTOU first ---- */

static int tty_send_break(struct tty *tty, u64 duration_ns)
{
	int ret = tty_drain(tty);

	if (ret)
		return ret;
	serial_set_break(tty->port, true);
	ret = sleep_until(clock_ns() + duration_ns, PARK_INTERRUPTIBLE);
	serial_set_break(tty->port, false);
	return ret;
}

static int tty_flush(struct tty *tty, unsigned long which)
{
	if (which > TCIOFLUSH)
		return -EINVAL;
	if (which != TCOFLUSH)
		n_tty_flush_input(tty);
	if (which != TCIFLUSH) {
		serial_discard_output(tty->port);
		wake_up(&tty->write_wait);
	}
	return 0;
}

static int tty_flow(struct tty *tty, unsigned long which)
{
	u8 c;

	if (which > TCION)
		return -EINVAL;
	spin_lock(&tty->lock);
	if (which == TCOOFF || which == TCOON) {
		tty_stop(tty, which == TCOOFF);
	} else {
		c = tty->termios.c_cc[which == TCIOFF ? VSTOP : VSTART];
		if (c != _POSIX_VDISABLE)
			(void)serial_write(tty->port, &c, 1);
	}
	spin_unlock(&tty->lock);
	return 0;
}

static long ioctl_control(struct tty *tty, unsigned int cmd, unsigned long arg)
{
	int ret = tty_check_background(tty, SIGTTOU);

	if (ret)
		return ret;
	switch (cmd) {
	case TCSBRK:
		return arg ? tty_drain(tty) : tty_send_break(tty, NSEC_PER_SEC / 4);
	case TCSBRKP:
		return tty_send_break(tty, arg ? min(arg, 100UL) * (NSEC_PER_SEC / 10)
					       : NSEC_PER_SEC / 4);
	case TCFLSH:
		return tty_flush(tty, arg);
	default:
		return tty_flow(tty, arg);
	}
}

/* ---- ioctl ---- */

static long ioctl_session(struct tty *tty, const struct file *f, unsigned int cmd,
			  unsigned long arg)
{
	bool mine = READ_ONCE(current->process->ctty) == tty;

	switch (cmd) {
	case TIOCSCTTY:
		return tiocsctty(tty, f, arg == 1);
	case TIOCNOTTY:
		if (!mine)
			return -ENOTTY;
		disassociate_ctty();
		return 0;
	case TIOCGPGRP:
		return mine ? put_user_u32((u32)READ_ONCE(tty->pgrp), (void __user *)arg) : -ENOTTY;
	case TIOCSPGRP:
		return tiocspgrp(tty, (const void __user *)arg);
	default: /* TIOCGSID */
		if (!mine || !READ_ONCE(tty->session))
			return -ENOTTY;
		return put_user_u32((u32)READ_ONCE(tty->session), (void __user *)arg);
	}
}

static long tty_ioctl(struct file *f, unsigned int cmd, unsigned long arg)
{
	struct tty *tty = f->private;
	void __user *uarg = (void __user *)arg;
	u32 disc;

	switch (cmd) {
	case TCGETS:
		return ioctl_get_termios(tty, uarg, sizeof(struct ktermios));
	case TCGETS2:
		return ioctl_get_termios(tty, uarg, sizeof(struct ktermios2));
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return ioctl_set_termios(tty, uarg, sizeof(struct ktermios),
					 (enum set_when)(cmd - TCSETS));
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return ioctl_set_termios(tty, uarg, sizeof(struct ktermios2),
					 (enum set_when)(cmd - TCSETS2));
	case TCSBRK:
	case TCSBRKP:
	case TCFLSH:
	case TCXONC:
		return ioctl_control(tty, cmd, arg);
	case TIOCSCTTY:
	case TIOCNOTTY:
	case TIOCGPGRP:
	case TIOCSPGRP:
	case TIOCGSID:
		return ioctl_session(tty, f, cmd, arg);
	case TIOCGWINSZ:
		return ioctl_get_winsize(tty, uarg);
	case TIOCSWINSZ:
		return ioctl_set_winsize(tty, uarg);
	case FIONREAD:
		return put_user_u32((u32)n_tty_chars(tty), uarg);
	case TIOCOUTQ:
		return put_user_u32((u32)serial_write_pending(tty->port), uarg);
	case TIOCGDEV:
		return put_user_u32((u32)tty->rdev, uarg);
	case TIOCGETD:
		return put_user_u32(0, uarg);
	case TIOCSETD:
		return get_user_u32(&disc, uarg) ? -EFAULT : disc ? -EINVAL : 0;
	case TIOCSTI:
		return -EIO;
	default:
		return -ENOTTY;
	}
}

/* ---- files ---- */

static struct tty *tty_of_rdev(u64 rdev)
{
	if (rdev == RDEV_CONSOLE)
		return console_tty ? console_tty : ERR_PTR(-ENODEV);
	if (rdev == RDEV_TTY) {
		struct tty *tty = READ_ONCE(current->process->ctty);

		return tty ? tty : ERR_PTR(-ENXIO);
	}
	for (unsigned int i = 0; i < NR_SERIAL; i++)
		if (ttys[i].port && ttys[i].rdev == rdev)
			return &ttys[i];
	return ERR_PTR(-ENXIO);
}

static int tty_open(struct inode *inode, struct file *f)
{
	struct process *self = current->process;
	struct tty *tty = tty_of_rdev(inode->rdev);

	if (IS_ERR(tty))
		return (int)PTR_ERR(tty);
	f->private = tty;
	f->mode |= FMODE_STREAM;
	if ((f->flags & O_NOCTTY) || inode->rdev == RDEV_CONSOLE || !file_readable(f) ||
	    READ_ONCE(self->sid) != self->pid)
		return 0;
	spin_lock(&tasklist_lock);
	if (self->sid == self->pid && !self->ctty && !tty->session)
		set_ctty(tty);
	spin_unlock(&tasklist_lock);
	return 0;
}

/* What goes through /dev/console is not subject to job control. */
static bool is_console(const struct file *f)
{
	return f->inode->rdev == RDEV_CONSOLE;
}

static ssize_t tty_read(struct file *f, char __user *buf, size_t n, u64 *pos __maybe_unused)
{
	struct tty *tty = f->private;

	if (!is_console(f)) {
		int ret = tty_check_background(tty, SIGTTIN);

		if (ret)
			return ret;
	}
	return n_tty_read(tty, f->flags & O_NONBLOCK, buf, n);
}

static ssize_t tty_write(struct file *f, const char __user *buf, size_t n, u64 *pos __maybe_unused)
{
	struct tty *tty = f->private;

	if (!is_console(f) && (READ_ONCE(tty->termios.c_lflag) & TOSTOP)) {
		int ret = tty_check_background(tty, SIGTTOU);

		if (ret)
			return ret;
	}
	return n_tty_write(tty, f->flags & O_NONBLOCK, buf, n);
}

static unsigned int tty_poll(struct file *f, struct poll_table *pt)
{
	struct tty *tty = f->private;
	unsigned int ready = 0;

	poll_wait(pt, &tty->read_wait);
	poll_wait(pt, &tty->write_wait);
	if (n_tty_readable(tty))
		ready |= POLLIN | POLLRDNORM;
	if (!tty->stopped && serial_write_room(tty->port) >= 256)
		ready |= POLLOUT | POLLWRNORM;
	return ready;
}

static const struct file_ops tty_fops = {
	.open = tty_open,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
};

/* ---- boot ---- */

static const struct ktermios default_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { [VINTR] = 'C' - '@',
		  [VQUIT] = '\\' - '@',
		  [VERASE] = 0x7f,
		  [VKILL] = 'U' - '@',
		  [VEOF] = 'D' - '@',
		  [VMIN] = 1,
		  [VSTART] = 'Q' - '@',
		  [VSTOP] = 'S' - '@',
		  [VSUSP] = 'Z' - '@',
		  [VREPRINT] = 'R' - '@',
		  [VDISCARD] = 'O' - '@',
		  [VWERASE] = 'W' - '@',
		  [VLNEXT] = 'V' - '@' },
};

static void tty_setup(unsigned int n)
{
	static struct serial_client clients[NR_SERIAL];
	static const char *const names[NR_SERIAL] = { "ttyS0", "ttyS1" };
	struct tty *tty = &ttys[n];

	tty->port = serial_port(n);
	if (!tty->port)
		return;
	tty->rdev = RDEV_TTYS(n);
	tty->termios = default_termios;
	tty->speed = 115200;
	spin_lock_init(&tty->lock);
	wait_queue_init(&tty->read_wait);
	wait_queue_init(&tty->write_wait);
	n_tty_init(tty);
	clients[n] = (struct serial_client){ port_received, port_transmitted, tty };
	serial_attach(tty->port, &clients[n]);
	chrdev_register(tty->rdev, names[n], 0600, &tty_fops);
}

void tty_init(void)
{
	struct task *thread;

	for (unsigned int i = 0; i < NR_SERIAL; i++)
		tty_setup(i);
	console_tty = ttys[serial_console_index()].port ? &ttys[serial_console_index()]
		      : ttys[0].port			? &ttys[0]
							: NULL;
	chrdev_register(RDEV_TTY, "tty", 0666, &tty_fops);
	chrdev_register(RDEV_CONSOLE, "console", 0600, &tty_fops);
	thread = kernel_thread(tty_thread, NULL, "ttyd");
	if (IS_ERR(thread))
		panic("no memory for the terminal thread");
	serial_init();
}
