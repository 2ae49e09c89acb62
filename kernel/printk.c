/* SPDX-License-Identifier: MIT
 *
 * The kernel log: finished lines "<level>[seconds] text\n" in a ring of bytes, positions counted
 * from boot. dmesg reads them through syslog(2); lines below the knob loglevel also go to the
 * console.
 *
 * One lock, taken in any context. A printk() inside printk() (a fault in it, a panic) finds the
 * lock in its own CPU's hands and goes to the console only.
 */
#include <arch/uaccess.h>
#include <kern/console.h>
#include <kern/err.h>
#include <kern/knobs.h>
#include <kern/printf.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <sync/mutex.h>

#define RING_SIZE 65536u /* a power of two */
#define LINE_MAX 512
#define POLL_NS (NSEC_PER_SEC / 10)

static struct {
	spinlock_t lock;	      /* irqsave */
	u32 owner;		      /* [A] CPU that holds it, plus 1 */
	u64 head;		      /* [lock] bytes ever written */
	u64 tail;		      /* [lock] start of the oldest whole line */
	u64 clear;		      /* [lock] where dmesg starts after its last clear */
	u64 read;		      /* [lock] up to where SYSLOG_READ has got */
	unsigned long saved_loglevel; /* [lock] before SYSLOG_CONSOLE_OFF; 0: none */
	char bytes[RING_SIZE];
} ring;

static char ring_at(u64 pos)
{
	return ring.bytes[pos & (RING_SIZE - 1)];
}

static void ring_append(const char *line, size_t n)
{
	size_t at = ring.head & (RING_SIZE - 1);
	size_t first = min(n, (size_t)RING_SIZE - at);

	memcpy(ring.bytes + at, line, first);
	memcpy(ring.bytes, line + first, n - first);
	if (ring.head + n > ring.tail + RING_SIZE) {
		ring.tail = ring.head + n - RING_SIZE;
		while (ring_at(ring.tail - 1) != '\n')
			ring.tail++;
	}
	ring.head += n;
}

/*
 * Formats one line with its newline; returns its length. *text is where the console's part starts.
 */
static size_t format_line(char *line, enum loglevel level, size_t *text, const char *fmt,
			  va_list ap)
{
	u64 now = clock_ns();
	size_t n, room;
	int want;

	*text = (size_t)scnprintf(line, LINE_MAX, "<%d>", (int)level);
	n = *text + (size_t)scnprintf(line + *text, LINE_MAX - *text, "[%5lu.%06lu] ",
				      (unsigned long)(now / NSEC_PER_SEC),
				      (unsigned long)(now % NSEC_PER_SEC / NSEC_PER_USEC));
	room = LINE_MAX - n - 1; /* the newline */
	want = vsnprintf(line + n, room, fmt, ap);
	if (want > 0)
		n += min((size_t)want, room - 1);
	if (line[n - 1] == '\n')
		n--;
	line[n++] = '\n';
	return n;
}

void printk(enum loglevel level, const char *fmt, ...)
{
	char line[LINE_MAX];
	size_t n, text;
	irqflags_t flags;
	bool nested;
	va_list ap;

	va_start(ap, fmt);
	n = format_line(line, level, &text, fmt, ap);
	va_end(ap);

	flags = irq_save();
	nested = READ_ONCE(ring.owner) == cpu_id() + 1;
	if (!nested) {
		spin_lock(&ring.lock);
		WRITE_ONCE(ring.owner, cpu_id() + 1);
		ring_append(line, n);
	}
	if ((unsigned long)level < knob_console_loglevel)
		console_write(line + text, n - text);
	if (!nested) {
		WRITE_ONCE(ring.owner, 0);
		spin_unlock(&ring.lock);
	}
	irq_restore(flags);
}

/* ---- syslog(2) ---- */

enum {
	SYSLOG_CLOSE,
	SYSLOG_OPEN,
	SYSLOG_READ,
	SYSLOG_READ_ALL,
	SYSLOG_READ_CLEAR,
	SYSLOG_CLEAR,
	SYSLOG_CONSOLE_OFF,
	SYSLOG_CONSOLE_ON,
	SYSLOG_CONSOLE_LEVEL,
	SYSLOG_SIZE_UNREAD,
	SYSLOG_SIZE_BUFFER,
};

/*
 * Copies up to size bytes from *pos up to end, in pieces: the lock is not held while user memory is
 * touched.
 */
static long ring_to_user(char __user *buf, size_t size, u64 *pos, u64 end)
{
	char piece[256];
	size_t done = 0;

	while (done < size) {
		irqflags_t flags = spin_lock_irqsave(&ring.lock);
		size_t n = 0;

		*pos = max(*pos, ring.tail); /* overwritten meanwhile: that part is lost */
		while (n < sizeof(piece) && n < size - done && *pos + n < end) {
			piece[n] = ring_at(*pos + n);
			n++;
		}
		spin_unlock_irqrestore(&ring.lock, flags);
		if (!n)
			break;
		if (copy_to_user(buf + done, piece, n))
			return -EFAULT;
		*pos += n;
		done += n;
	}
	return (long)done;
}

/* The last whole lines that fit. */
static long syslog_read_all(char __user *buf, size_t size, bool clear)
{
	irqflags_t flags = spin_lock_irqsave(&ring.lock);
	u64 end = ring.head, pos = max(ring.tail, ring.clear);
	long ret;

	if (end - pos > size) {
		pos = end - size;
		while (pos < end && ring_at(pos - 1) != '\n')
			pos++;
	}
	spin_unlock_irqrestore(&ring.lock, flags);

	ret = ring_to_user(buf, size, &pos, end);
	if (clear && ret >= 0) {
		flags = spin_lock_irqsave(&ring.lock);
		ring.clear = end;
		spin_unlock_irqrestore(&ring.lock, flags);
	}
	return ret;
}

static u64 syslog_unread(void)
{
	irqflags_t flags = spin_lock_irqsave(&ring.lock);
	u64 n = ring.head - max(ring.tail, ring.read);

	spin_unlock_irqrestore(&ring.lock, flags);
	return n;
}

/*
 * Waits for something new; readers share one position, as in Linux. The reader looks from time to
 * time: printk() may run under any lock, so it cannot wake anybody.
 */
static long syslog_read(char __user *buf, size_t size)
{
	static struct mutex read_mutex = MUTEX_INIT(read_mutex); /* each line goes to one reader */
	u64 pos;
	long ret;

	do {
		while (!syslog_unread()) {
			ret = sleep_until(deadline_after(POLL_NS), PARK_INTERRUPTIBLE);
			if (ret)
				return ret;
		}
		mutex_lock(&read_mutex);
		pos = READ_ONCE(ring.read);
		ret = ring_to_user(buf, size, &pos, READ_ONCE(ring.head));
		if (ret > 0)
			WRITE_ONCE(ring.read, pos);
		mutex_unlock(&read_mutex);
	} while (!ret); /* another reader was faster */
	return ret;
}

static long syslog_console(int type, int level)
{
	irqflags_t flags = spin_lock_irqsave(&ring.lock);
	long ret = 0;

	if (type == SYSLOG_CONSOLE_OFF) {
		if (!ring.saved_loglevel)
			ring.saved_loglevel = knob_console_loglevel;
		knob_console_loglevel = 1;
	} else if (type == SYSLOG_CONSOLE_ON) {
		if (ring.saved_loglevel)
			knob_console_loglevel = ring.saved_loglevel;
		ring.saved_loglevel = 0;
	} else if (level < 1 || level > 8) {
		ret = -EINVAL;
	} else {
		knob_console_loglevel = (unsigned long)level;
		ring.saved_loglevel = 0;
	}
	spin_unlock_irqrestore(&ring.lock, flags);
	return ret;
}

SYSCALL_DEFINE3(syslog, int, type, char __user *, buf, int, len)
{
	irqflags_t flags;

	/* Everybody may look at the log, only the administrator may change or consume it. */
	if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER && !capable(CAP_SYSLOG))
		return -EPERM;
	switch (type) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return 0;
	case SYSLOG_READ:
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		if (!buf || len < 0)
			return -EINVAL;
		if (!len)
			return 0;
		return type == SYSLOG_READ
			       ? syslog_read(buf, (size_t)len)
			       : syslog_read_all(buf, (size_t)len, type == SYSLOG_READ_CLEAR);
	case SYSLOG_CLEAR:
		flags = spin_lock_irqsave(&ring.lock);
		ring.clear = ring.head;
		spin_unlock_irqrestore(&ring.lock, flags);
		return 0;
	case SYSLOG_CONSOLE_OFF:
	case SYSLOG_CONSOLE_ON:
	case SYSLOG_CONSOLE_LEVEL:
		return syslog_console(type, len);
	case SYSLOG_SIZE_UNREAD:
		return (long)syslog_unread();
	case SYSLOG_SIZE_BUFFER:
		return RING_SIZE;
	default:
		return -EINVAL;
	}
}
