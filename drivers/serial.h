/* SPDX-License-Identifier: MIT
 *
 * 16550 serial ports as the terminals use them. All functions may be called from any context that holds
 * no port lock; none sleeps.
 */
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

#include <kern/types.h>

#define NR_SERIAL 2

struct serial_port;

/* What a port tells its user, from interrupt context, the port's lock not held. */
struct serial_client {
	void (*received)(void *arg);	/* serial_read() has something new */
	void (*transmitted)(void *arg); /* serial_write() has room again, or all is sent */
	void *arg;
};

/* Takes the ports' interrupts; until then output is polled and input is not looked at. */
void serial_init(void);
/* COM(n+1), or NULL when no 16550 answered there. */
struct serial_port *serial_port(unsigned int n);
/* The port that console=ttySn on the kernel command line names, the last one if several; 0 without. */
unsigned int serial_console_index(void);
void serial_attach(struct serial_port *p, const struct serial_client *client);

/* Sends or queues as much of buf as fits. Returns that many bytes. */
size_t serial_write(struct serial_port *p, const u8 *buf, size_t n);
/* Bytes that serial_write() would take now, at least. */
size_t serial_write_room(const struct serial_port *p);
/* Bytes queued and not yet given to the chip. */
size_t serial_write_pending(const struct serial_port *p);
/* Nothing is queued and the chip has sent its last bit. */
bool serial_idle(struct serial_port *p);
void serial_discard_output(struct serial_port *p);
/* stop: holds output back until the next call with false. */
void serial_stop_output(struct serial_port *p, bool stop);

/*
 * Takes up to n received bytes. What is not taken stays; a full buffer makes the chip's FIFO fill up, and
 * a sender that honours that (as an emulated port does) waits.
 */
size_t serial_read(struct serial_port *p, u8 *buf, size_t n);
void serial_discard_input(struct serial_port *p);

/* cflag: CS*, CSTOPB, PARENB, PARODD of termios; baud 0 leaves the speed. */
void serial_set_line(struct serial_port *p, u32 cflag, unsigned int baud);
/* Sends a break condition while on. */
void serial_set_break(struct serial_port *p, bool on);

#endif
