/* SPDX-License-Identifier: MIT
 *
 * The 16550 UART (National Semiconductor PC16550D data sheet) at COM1 and COM2.
 *
 * Output is tried at once: while the chip reports its transmitter empty, it is given a FIFO full of bytes
 * straight from the caller. Only what does not fit goes to a ring, which the transmitter-empty interrupt
 * empties; that interrupt is enabled while the ring holds something and never otherwise. Input is moved
 * from the chip's FIFO to a ring by the interrupt; when the ring is full the receive interrupt is
 * switched off until somebody reads, so that bytes wait in front of the port instead of being lost.
 *
 * The kernel's console writes to the same chip by polling and overtakes what is queued.
 */
#include <arch/io.h>
#include <arch/setup.h>
#include <drivers/serial.h>
#include <kern/console.h>
#include <kern/knobs.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <sync/spinlock.h>
#include <uapi/termios.h>

/* Registers, as offsets from the port's base. */
#define UART_DATA 0 /* receive and transmit; divisor low while LCR_DLAB */
#define UART_IER 1  /* interrupt enable; divisor high while LCR_DLAB */
#define UART_IIR 2  /* read: interrupt identification */
#define UART_FCR 2  /* write: FIFO control */
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_MSR 6
#define UART_SCR 7

#define IER_RX 0x01
#define IER_TX 0x02
#define IIR_NONE 0x01
#define IIR_FIFO 0xc0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define FCR_CLEAR_TX 0x04
#define FCR_TRIGGER_8 0x80
#define LCR_BREAK 0x40
#define LCR_DLAB 0x80
#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT2 0x08 /* lets the interrupt line out of the chip on a PC */
#define LSR_DATA 0x01
#define LSR_THR_EMPTY 0x20
#define LSR_ALL_SENT 0x40

#define UART_CLOCK 115200 /* baud of divisor 1 */
#define RING_SIZE 4096	  /* a power of two: positions run freely and are masked */
#define IRQ_ROUNDS 256	  /* gives up on a chip whose interrupt never ends */
#define POLL_SPINS 1000000

struct ring {
	u32 head, tail; /* next to fill, next to take */
	u8 data[RING_SIZE];
};

/* Lock letters: [I] fixed after console_early_init(), [l] lock (irqsave: the interrupt handler takes it). */
struct serial_port {
	u16 base;	  /* [I] */
	const char *name; /* [I] */
	u8 irq;		  /* [I] */
	u8 fifo;	  /* [I] bytes its transmitter takes at once */
	bool present;	  /* [I] */
	bool stopped;	  /* [l] by serial_stop_output() */
	bool stuck;	  /* [l] polled output timed out */
	u8 ier;		  /* [l] what UART_IER was last set to */
	u8 lcr;		  /* [l] */
	spinlock_t lock;
	const struct serial_client *client; /* [l] */
	struct ring rx, tx;		    /* [l] */
};

static struct serial_port ports[NR_SERIAL] = {
	{ .base = 0x3f8, .name = "ttyS0", .irq = 4, .lcr = 3, .lock = SPINLOCK_INIT },
	{ .base = 0x2f8, .name = "ttyS1", .irq = 3, .lcr = 3, .lock = SPINLOCK_INIT },
};
static struct serial_port *console_port;

static u8 uart_read(const struct serial_port *p, unsigned int reg)
{
	return inb((u16)(p->base + reg));
}

static void uart_write(const struct serial_port *p, unsigned int reg, u8 v)
{
	outb((u16)(p->base + reg), v);
}

static u32 ring_used(const struct ring *r)
{
	return READ_ONCE(r->head) - READ_ONCE(r->tail);
}

static u32 ring_put(struct ring *r, const u8 *buf, size_t n)
{
	u32 count = (u32)min(n, (size_t)(RING_SIZE - ring_used(r)));
	u32 at = r->head % RING_SIZE;
	u32 first = min(count, RING_SIZE - at);

	memcpy(r->data + at, buf, first);
	memcpy(r->data, buf + first, count - first);
	WRITE_ONCE(r->head, r->head + count);
	return count;
}

static u32 ring_get(struct ring *r, u8 *buf, size_t n)
{
	u32 count = (u32)min(n, (size_t)ring_used(r));
	u32 at = r->tail % RING_SIZE;
	u32 first = min(count, RING_SIZE - at);

	memcpy(buf, r->data + at, first);
	memcpy(buf + first, r->data, count - first);
	WRITE_ONCE(r->tail, r->tail + count);
	return count;
}

/* ---- finding and setting up the chip ---- */

static bool uart_probe(const struct serial_port *p)
{
	uart_write(p, UART_SCR, 0x5a);
	if (uart_read(p, UART_SCR) != 0x5a)
		return false;
	uart_write(p, UART_SCR, 0xa5);
	return uart_read(p, UART_SCR) == 0xa5;
}

static void uart_set_divisor(struct serial_port *p, u16 divisor)
{
	uart_write(p, UART_LCR, p->lcr | LCR_DLAB);
	uart_write(p, UART_DATA, (u8)divisor);
	uart_write(p, UART_IER, (u8)(divisor >> 8));
	uart_write(p, UART_LCR, p->lcr);
}

static void uart_setup(struct serial_port *p)
{
	p->present = uart_probe(p);
	if (!p->present)
		return;
	uart_write(p, UART_IER, 0);
	uart_set_divisor(p, 1);
	uart_write(p, UART_FCR, FCR_ENABLE | FCR_CLEAR_RX | FCR_CLEAR_TX | FCR_TRIGGER_8);
	p->fifo = (uart_read(p, UART_IIR) & IIR_FIFO) == IIR_FIFO ? 16 : 1;
	uart_write(p, UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
}

void console_early_init(void)
{
	for (unsigned int i = 0; i < NR_SERIAL; i++)
		uart_setup(&ports[i]);
	if (ports[0].present)
		console_port = &ports[0];
}

struct serial_port *serial_port(unsigned int n)
{
	return n < NR_SERIAL && ports[n].present ? &ports[n] : NULL;
}

void serial_attach(struct serial_port *p, const struct serial_client *client)
{
	irqflags_t flags = spin_lock_irqsave(&p->lock);

	p->client = client;
	spin_unlock_irqrestore(&p->lock, flags);
}

/* ---- the kernel's console ---- */

/*
 * A panic may come while this CPU, or one that will never run again, holds the lock: after a while
 * the text goes out regardless.
 */
static bool console_lock(struct serial_port *p)
{
	for (unsigned int i = 0; i < POLL_SPINS; i++) {
		if (spin_trylock(&p->lock))
			return true;
		cpu_relax();
	}
	return false;
}

/*
 * Waits for the transmitter and gives it c. When nothing takes what the port sends, the first byte waits in
 * vain and is lost, and the following ones are lost without waiting. Returns whether c went out.
 */
static bool uart_poll_put(struct serial_port *p, u8 c)
{
	for (unsigned int i = 0; i < (p->stuck ? 1 : POLL_SPINS); i++) {
		if (uart_read(p, UART_LSR) & LSR_THR_EMPTY) {
			p->stuck = false;
			uart_write(p, UART_DATA, c);
			return true;
		}
		cpu_relax();
	}
	p->stuck = true;
	return false;
}

void console_write(const char *s, size_t n)
{
	struct serial_port *p = console_port;
	irqflags_t flags;
	bool locked;

	if (!p)
		return;
	flags = irq_save();
	locked = console_lock(p);
	while (n--) {
		if (*s == '\n')
			(void)uart_poll_put(p, '\r');
		(void)uart_poll_put(p, (u8)*s++);
	}
	if (locked)
		spin_unlock(&p->lock);
	irq_restore(flags);
}

void console_flush(void)
{
	for (unsigned int i = 0; i < NR_SERIAL; i++) {
		struct serial_port *p = &ports[i];
		irqflags_t flags = irq_save();
		bool locked;
		u8 c;

		if (p->present) {
			locked = console_lock(p);
			while (ring_get(&p->tx, &c, 1) && uart_poll_put(p, c))
				;
			if (locked)
				spin_unlock(&p->lock);
		}
		irq_restore(flags);
	}
}

/* ---- output ---- */

/* Port lock held. */
static void uart_enable(struct serial_port *p, u8 bits, bool on)
{
	u8 ier = on ? p->ier | bits : p->ier & (u8)~bits;

	if (ier != p->ier) {
		p->ier = ier;
		uart_write(p, UART_IER, ier);
	}
}

/* Gives the chip bytes from buf for as long as it takes them at once. Port lock held. Returns how many it took. */
static size_t uart_send(const struct serial_port *p, const u8 *buf, size_t n)
{
	size_t done = 0;

	while (done < n && (uart_read(p, UART_LSR) & LSR_THR_EMPTY)) {
		size_t count = min(n - done, (size_t)p->fifo);

		outsb(p->base + UART_DATA, buf + done, count);
		done += count;
	}
	return done;
}

/* Moves the ring to the chip as far as it goes now. Port lock held. */
static void uart_send_ring(struct serial_port *p)
{
	struct ring *r = &p->tx;

	while (!p->stopped && ring_used(r)) {
		u32 at = r->tail % RING_SIZE;
		u32 run = min(ring_used(r), RING_SIZE - at);
		u32 sent = (u32)uart_send(p, r->data + at, run);

		WRITE_ONCE(r->tail, r->tail + sent);
		if (sent < run)
			break;
	}
	uart_enable(p, IER_TX, !p->stopped && ring_used(r));
}

size_t serial_write(struct serial_port *p, const u8 *buf, size_t n)
{
	irqflags_t flags = spin_lock_irqsave(&p->lock);
	size_t done = 0;

	if (!p->stopped && !ring_used(&p->tx))
		done = uart_send(p, buf, n);
	if (done < n) {
		done += ring_put(&p->tx, buf + done, n - done);
		if (!p->stopped)
			uart_enable(p, IER_TX, true);
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return done;
}

size_t serial_write_room(const struct serial_port *p)
{
	return RING_SIZE - ring_used(&p->tx);
}

size_t serial_write_pending(const struct serial_port *p)
{
	return ring_used(&p->tx);
}

bool serial_idle(struct serial_port *p)
{
	return !ring_used(&p->tx) && (uart_read(p, UART_LSR) & LSR_ALL_SENT);
}

void serial_discard_output(struct serial_port *p)
{
	irqflags_t flags = spin_lock_irqsave(&p->lock);

	WRITE_ONCE(p->tx.tail, p->tx.head);
	uart_enable(p, IER_TX, false);
	spin_unlock_irqrestore(&p->lock, flags);
}

void serial_stop_output(struct serial_port *p, bool stop)
{
	irqflags_t flags = spin_lock_irqsave(&p->lock);

	p->stopped = stop;
	uart_send_ring(p);
	spin_unlock_irqrestore(&p->lock, flags);
}

/* ---- input ---- */

size_t serial_read(struct serial_port *p, u8 *buf, size_t n)
{
	irqflags_t flags = spin_lock_irqsave(&p->lock);
	size_t got = ring_get(&p->rx, buf, n);

	if (got)
		uart_enable(p, IER_RX, true);
	spin_unlock_irqrestore(&p->lock, flags);
	return got;
}

void serial_discard_input(struct serial_port *p)
{
	irqflags_t flags = spin_lock_irqsave(&p->lock);

	WRITE_ONCE(p->rx.tail, p->rx.head);
	uart_enable(p, IER_RX, true);
	spin_unlock_irqrestore(&p->lock, flags);
}

/* Port lock held. Returns whether something came. */
static bool uart_receive(struct serial_port *p)
{
	bool any = false;

	while (uart_read(p, UART_LSR) & LSR_DATA) {
		u8 c;

		if (ring_used(&p->rx) == RING_SIZE) {
			uart_enable(p, IER_RX, false);
			break;
		}
		c = uart_read(p, UART_DATA);
		(void)ring_put(&p->rx, &c, 1);
		any = true;
	}
	return any;
}

/*
 * The line is edge-triggered: it must have gone down before the handler returns, or no further interrupt comes.
 * So it goes on until the chip has no reason left.
 */
static void serial_interrupt(void *arg)
{
	struct serial_port *p = arg;
	const struct serial_client *client;
	bool received = false, sent = false;

	spin_lock(&p->lock);
	for (unsigned int i = 0; i < IRQ_ROUNDS && !(uart_read(p, UART_IIR) & IIR_NONE); i++) {
		u32 queued = ring_used(&p->tx);

		if (p->ier & IER_RX)
			received |= uart_receive(p);
		(void)uart_read(p, UART_MSR);
		if (queued) {
			uart_send_ring(p);
			sent = true;
		}
	}
	sent = sent && ring_used(&p->tx) <= RING_SIZE / 2;
	client = p->client;
	spin_unlock(&p->lock);

	if (client && received)
		client->received(client->arg);
	if (client && sent)
		client->transmitted(client->arg);
}

void serial_init(void)
{
	for (unsigned int i = 0; i < NR_SERIAL; i++) {
		struct serial_port *p = &ports[i];
		irqflags_t flags;

		if (!p->present)
			continue;
		if (irq_register(p->irq, p->name, serial_interrupt, p)) {
			pr_err("serial: no interrupt line %u for COM%u", p->irq, i + 1);
			continue;
		}
		flags = spin_lock_irqsave(&p->lock);
		uart_enable(p, IER_RX, true);
		spin_unlock_irqrestore(&p->lock, flags);
	}
	if (serial_port(serial_console_index()))
		console_port = serial_port(serial_console_index());
}

unsigned int serial_console_index(void)
{
	static const char option[] = "console=ttyS";
	unsigned int index = 0;

	for (const char *s = strstr(kernel_cmdline, option); s; s = strstr(s, option)) {
		s += sizeof(option) - 1;
		if (*s >= '0' && *s < '0' + NR_SERIAL)
			index = (unsigned int)(*s - '0');
	}
	return index;
}

/* ---- line settings ---- */

void serial_set_line(struct serial_port *p, u32 cflag, unsigned int baud)
{
	irqflags_t flags = spin_lock_irqsave(&p->lock);

	p->lcr = (u8)((cflag & CSIZE) >> 4);
	if (cflag & CSTOPB)
		p->lcr |= 0x04;
	if (cflag & PARENB)
		p->lcr |= (cflag & PARODD) ? 0x08 : 0x18;
	if (baud)
		uart_set_divisor(p, (u16)max(1u, min(65535u, UART_CLOCK / baud)));
	else
		uart_write(p, UART_LCR, p->lcr);
	spin_unlock_irqrestore(&p->lock, flags);
}

void serial_set_break(struct serial_port *p, bool on)
{
	irqflags_t flags = spin_lock_irqsave(&p->lock);

	uart_write(p, UART_LCR, on ? p->lcr | LCR_BREAK : p->lcr);
	spin_unlock_irqrestore(&p->lock, flags);
}
