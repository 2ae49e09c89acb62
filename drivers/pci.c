/* SPDX-License-Identifier: MIT
 *
 * PCI through configuration mechanism 1: a port for the address, a port for the data. Every PC has it, PCI
 * Express ones too.
 *
 * What a device says is not trusted: lists of capabilities may be circular, tables may lie outside their
 * range, bridges may lead back to where one came from.
 */
#include <arch/io.h>
#include <arch/mmio.h>
#include <drivers/pci.h>
#include <sync/spinlock.h>
#include <uapi/errno.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000u

#define REG_VENDOR 0x00
#define REG_DEVICE 0x02
#define REG_COMMAND 0x04
#define REG_STATUS 0x06
#define REG_HEADER_TYPE 0x0e
#define REG_BAR(n) (0x10 + 4 * (n))
#define REG_SECONDARY_BUS 0x19 /* of a bridge */
#define REG_CAPABILITIES 0x34

#define COMMAND_IO 0x1
#define COMMAND_MEMORY 0x2
#define COMMAND_MASTER 0x4
#define STATUS_CAPABILITIES 0x10
#define HEADER_KIND 0x7f
#define HEADER_BRIDGE 1
#define HEADER_MULTI 0x80 /* has more functions than the first */

#define NR_BARS 6
#define BAR_IO 0x1u
#define BAR_64 0x4u
#define BAR_KIND 0x6u
#define BAR_ADDRESS 0xfffffff0u

#define CAPS_START 0x40
#define MAX_CAPS 48 /* more do not fit */

#define MSIX_CONTROL 2
#define MSIX_TABLE 4
#define MSIX_ENABLE 0x8000
#define MSIX_MASK_ALL 0x4000
#define MSIX_NR(control) (((control)&0x7ff) + 1u)
#define MSIX_BAR 7u
#define MSIX_ENTRY 16u
#define MSIX_ENTRY_CONTROL 12
#define MSIX_MASKED 1

/* An access is two ports: the address must be one's own until the data are there. */
static spinlock_t lock = SPINLOCK_INIT;

/* ---- configuration space ---- */

static void select(const struct pci_dev *dev, unsigned int offset)
{
	outl(CONFIG_ADDRESS, CONFIG_ENABLE | (u32)dev->bus << 16 | (u32)dev->slot << 11 |
				     (u32)dev->function << 8 | (offset & 0xfc));
}

u32 pci_read32(const struct pci_dev *dev, unsigned int offset)
{
	u32 v;

	spin_lock(&lock);
	select(dev, offset);
	v = inl(CONFIG_DATA);
	spin_unlock(&lock);
	return v;
}

u16 pci_read16(const struct pci_dev *dev, unsigned int offset)
{
	return (u16)(pci_read32(dev, offset) >> (offset & 2) * 8);
}

u8 pci_read8(const struct pci_dev *dev, unsigned int offset)
{
	return (u8)(pci_read32(dev, offset) >> (offset & 3) * 8);
}

void pci_write16(const struct pci_dev *dev, unsigned int offset, u16 v)
{
	spin_lock(&lock);
	select(dev, offset);
	outw((u16)(CONFIG_DATA + (offset & 2)), v);
	spin_unlock(&lock);
}

void pci_write32(const struct pci_dev *dev, unsigned int offset, u32 v)
{
	spin_lock(&lock);
	select(dev, offset);
	outl(CONFIG_DATA, v);
	spin_unlock(&lock);
}

u8 pci_find_capability(const struct pci_dev *dev, u8 id, u8 after)
{
	u8 at;

	if (!(pci_read16(dev, REG_STATUS) & STATUS_CAPABILITIES))
		return 0;
	at = pci_read8(dev, after ? after + 1u : REG_CAPABILITIES);
	for (unsigned int i = 0; i < MAX_CAPS; i++) {
		at &= 0xfc;
		if (at < CAPS_START)
			return 0;
		if (pci_read8(dev, at) == id)
			return at;
		at = pci_read8(dev, at + 1u);
	}
	return 0;
}

/* ---- finding devices ---- */

static bool mechanism_exists(void)
{
	outl(CONFIG_ADDRESS, CONFIG_ENABLE);
	return inl(CONFIG_ADDRESS) == CONFIG_ENABLE;
}

static void scan_bus(u8 bus, void (*fn)(const struct pci_dev *dev));

/* What is behind a bridge. Numbers grow on the way down, which bounds the recursion: no bridge leads back. */
static void scan_bridge(const struct pci_dev *bridge, void (*fn)(const struct pci_dev *dev))
{
	u8 secondary = pci_read8(bridge, REG_SECONDARY_BUS);

	if (secondary > bridge->bus)
		scan_bus(secondary, fn);
}

/* False: there is no such function. */
static bool scan_function(struct pci_dev *dev, void (*fn)(const struct pci_dev *dev))
{
	dev->vendor = pci_read16(dev, REG_VENDOR);
	if (dev->vendor == 0xffff)
		return false;
	dev->device = pci_read16(dev, REG_DEVICE);
	fn(dev);
	if ((pci_read8(dev, REG_HEADER_TYPE) & HEADER_KIND) == HEADER_BRIDGE)
		scan_bridge(dev, fn);
	return true;
}

static void scan_bus(u8 bus, void (*fn)(const struct pci_dev *dev))
{
	for (u8 slot = 0; slot < 32; slot++) {
		struct pci_dev dev = { .bus = bus, .slot = slot };

		if (!scan_function(&dev, fn) || !(pci_read8(&dev, REG_HEADER_TYPE) & HEADER_MULTI))
			continue;
		for (dev.function = 1; dev.function < 8; dev.function++)
			(void)scan_function(&dev, fn);
	}
}

void pci_for_each(void (*fn)(const struct pci_dev *dev))
{
	if (mechanism_exists())
		scan_bus(0, fn);
}

/* ---- address ranges ---- */

void pci_enable(const struct pci_dev *dev)
{
	u16 command = pci_read16(dev, REG_COMMAND);

	pci_write16(dev, REG_COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER);
}

/* Which bits of the register can be written: the range's size. It answers nowhere meanwhile. */
static u32 probe_bar(const struct pci_dev *dev, unsigned int reg)
{
	u16 command = pci_read16(dev, REG_COMMAND);
	u32 old = pci_read32(dev, reg), mask;

	pci_write16(dev, REG_COMMAND, command & (u16) ~(COMMAND_IO | COMMAND_MEMORY));
	pci_write32(dev, reg, ~0u);
	mask = pci_read32(dev, reg);
	pci_write32(dev, reg, old);
	pci_write16(dev, REG_COMMAND, command);
	return mask;
}

/* False when it is no memory or has no address. */
static bool read_bar(const struct pci_dev *dev, unsigned int bar, phys_t *start, u64 *size)
{
	u32 low = pci_read32(dev, REG_BAR(bar));
	u64 mask;

	if (low & BAR_IO)
		return false;
	*start = low & BAR_ADDRESS;
	mask = probe_bar(dev, REG_BAR(bar)) & BAR_ADDRESS;
	if ((low & BAR_KIND) != BAR_64) {
		mask |= ~0ULL << 32;
	} else if (bar + 1 < NR_BARS) {
		*start |= (u64)pci_read32(dev, REG_BAR(bar + 1)) << 32;
		mask |= (u64)probe_bar(dev, REG_BAR(bar + 1)) << 32;
	} else {
		return false;
	}
	*size = ~mask + 1;
	return *start && *size;
}

void *pci_map_bar(const struct pci_dev *dev, unsigned int bar, u64 offset, u64 len)
{
	phys_t start;
	u64 size;

	if (bar >= NR_BARS || !read_bar(dev, bar, &start, &size))
		return NULL;
	if (offset > size || len > size - offset)
		return NULL;
	return ioremap(start + offset, len);
}

/* ---- MSI-X: PCI 3.0, 6.8.2 ---- */

int pci_msix_init(const struct pci_dev *dev, struct pci_msix *m)
{
	u32 where;

	m->cap = pci_find_capability(dev, PCI_CAP_MSIX, 0);
	if (!m->cap)
		return -ENODEV;
	m->nr = MSIX_NR(pci_read16(dev, m->cap + MSIX_CONTROL));
	where = pci_read32(dev, m->cap + MSIX_TABLE);
	m->table = pci_map_bar(dev, where & MSIX_BAR, where & ~MSIX_BAR, m->nr * MSIX_ENTRY);
	if (!m->table)
		return -ENODEV;
	for (unsigned int i = 0; i < m->nr; i++)
		mmio_write32((char *)m->table + i * MSIX_ENTRY + MSIX_ENTRY_CONTROL, MSIX_MASKED);
	return 0;
}

void pci_msix_set(const struct pci_msix *m, unsigned int n, const struct msi_message *msg)
{
	char *entry = (char *)m->table + n * MSIX_ENTRY;

	mmio_write32(entry, (u32)msg->address);
	mmio_write32(entry + 4, (u32)(msg->address >> 32));
	mmio_write32(entry + 8, msg->data);
	mmio_write32(entry + MSIX_ENTRY_CONTROL, 0);
}

void pci_msix_enable(const struct pci_dev *dev, const struct pci_msix *m)
{
	u16 control = pci_read16(dev, m->cap + MSIX_CONTROL);

	pci_write16(dev, m->cap + MSIX_CONTROL, (control | MSIX_ENABLE) & (u16)~MSIX_MASK_ALL);
}
