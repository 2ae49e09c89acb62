/* SPDX-License-Identifier: MIT
 *
 * PCI devices: finding them, their registers and their interrupts. PCI Local Bus Specification 3.0; for
 * bridges PCI-to-PCI Bridge Architecture 1.2. The firmware has given out addresses and bus numbers.
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include <arch/setup.h>
#include <kern/types.h>

struct pci_dev {
	u8 bus, slot, function;
	u16 vendor, device;
};

/* Calls fn for each function of each device that there is, at boot. */
void pci_for_each(void (*fn)(const struct pci_dev *dev));

/* ---- configuration space: 256 bytes, offsets aligned to the size of the access ---- */
u8 pci_read8(const struct pci_dev *dev, unsigned int offset);
u16 pci_read16(const struct pci_dev *dev, unsigned int offset);
u32 pci_read32(const struct pci_dev *dev, unsigned int offset);
void pci_write16(const struct pci_dev *dev, unsigned int offset, u16 v);
void pci_write32(const struct pci_dev *dev, unsigned int offset, u32 v);

/* The next capability of the kind behind the one at `after` (0: the first). 0: there is none. */
#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX 0x11
u8 pci_find_capability(const struct pci_dev *dev, u8 id, u8 after);

/* The device may read and write memory, and answers at its addresses. */
void pci_enable(const struct pci_dev *dev);
/*
 * Maps [offset, offset + len) of one of its six address ranges. NULL: that is no memory, has no address, is
 * shorter, or no memory for the tables.
 */
void *pci_map_bar(const struct pci_dev *dev, unsigned int bar, u64 offset, u64 len);

/* ---- MSI-X ---- */
struct pci_msix {
	u8 cap;
	unsigned int nr; /* messages */
	void *table;
};

/* Finds and maps the table; all messages are off. 0, or -ENODEV when the device has none. */
int pci_msix_init(const struct pci_dev *dev, struct pci_msix *m);
/* The device may send the nth message: n < m->nr. */
void pci_msix_set(const struct pci_msix *m, unsigned int n, const struct msi_message *msg);
void pci_msix_enable(const struct pci_dev *dev, const struct pci_msix *m);

#endif
