/* SPDX-License-Identifier: MIT
 *
 * Message-signalled interrupts (SDM vol. 3A, 11.11): a device's write to the address range of the local
 * APICs arrives as a vector, with no controller or line in between and nothing to share. All go to the
 * boot CPU, as ISA lines do. They are handed out from below and never taken back.
 */
#include <arch/apic.h>
#include <arch/irq_stat.h>
#include <arch/trap.h>
#include <kern/atomic.h>
#include <sync/spinlock.h>
#include <uapi/errno.h>

#define MSI_ADDRESS(apic_id) (0xfee00000UL | (u64)(apic_id) << 12)

static spinlock_t lock = SPINLOCK_INIT;
/* Written under the lock before the device knows its message, never again. */
static struct {
	const char *name;
	void (*fn)(void *arg);
	void *arg;
} handlers[NR_MSI];
static unsigned int nr_handlers; /* [lock] */

int msi_register(const char *name, void (*fn)(void *arg), void *arg, struct msi_message *msg)
{
	unsigned int apic_id = cpus[0].apic_id, i;
	irqflags_t flags;

	/* A message has room for 8 bits of a CPU's number. */
	if (apic_id > 0xff)
		return -ENOSPC;
	flags = spin_lock_irqsave(&lock);
	i = nr_handlers;
	if (i < NR_MSI) {
		handlers[i].fn = fn;
		handlers[i].arg = arg;
		WRITE_ONCE(handlers[i].name, name);
		nr_handlers++;
	}
	spin_unlock_irqrestore(&lock, flags);
	*msg = (struct msi_message){ MSI_ADDRESS(apic_id), VECTOR_MSI + i };
	return i < NR_MSI ? 0 : -ENOSPC;
}

/* A stray message finds no handler: any device can send any vector. */
void msi_interrupt(unsigned int msi)
{
	irq_count(IRQ_MSI + msi);
	if (handlers[msi].fn)
		handlers[msi].fn(handlers[msi].arg);
	lapic_eoi();
}

const char *msi_describe(unsigned int msi)
{
	return READ_ONCE(handlers[msi].name);
}
