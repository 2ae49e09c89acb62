/* SPDX-License-Identifier: MIT
 *
 * Virtio devices on PCI (Virtual I/O Device 1.1, 4.1): the modern interface, which transitional devices have
 * beside the old one.
 */
#ifndef DRIVERS_VIRTIO_PCI_H
#define DRIVERS_VIRTIO_PCI_H

#include <drivers/pci.h>
#include <drivers/virtqueue.h>

/* Device status. */
#define VIRTIO_ACKNOWLEDGE 0x01
#define VIRTIO_DRIVER 0x02
#define VIRTIO_DRIVER_OK 0x04
#define VIRTIO_FEATURES_OK 0x08
#define VIRTIO_NEEDS_RESET 0x40
#define VIRTIO_FAILED 0x80

#define VIRTIO_F_VERSION_1 (1ULL << 32)

struct virtio_device {
	const struct pci_dev *pci; /* during set-up only */
	char *common, *config; /* registers: the structures of 4.1.4.3 and of the device's kind */
	size_t config_len;
	char *notify;
	size_t notify_len;
	u32 notify_multiplier;
	struct pci_msix msix;
	u64 features; /* agreed on */
};

/* Finds and maps the device's structures. 0; -ENODEV when something is missing or damaged. */
int virtio_init(struct virtio_device *v, const struct pci_dev *pci);
/* All is forgotten and the device uses no memory. 0, or -EIO when it does not say so within a while. */
int virtio_reset(struct virtio_device *v);
u8 virtio_status(const struct virtio_device *v);
void virtio_set_status(struct virtio_device *v, u8 bits);
/* Takes those of `wanted` that the device offers. -EIO: it refuses, or has no VERSION_1. */
int virtio_negotiate(struct virtio_device *v, u64 wanted);

/* Message 0 is for changes of the configuration, message 1 + n for queue n: the device may have fewer. */
int virtio_config_interrupt(struct virtio_device *v, const char *name, void (*fn)(void *),
			    void *arg);
/*
 * Sets up queue n, of the device's size or the largest of ours, with its interrupt. *doorbell: where to write n to
 * tell the device of new requests. 0, -ENODEV, -ENOMEM, -ENOSPC.
 */
int virtio_queue_init(struct virtio_device *v, unsigned int n, struct virtqueue *q,
		      const char *name, void (*fn)(void *), void *arg, void **doorbell);

/* The device's own configuration; 0 beyond its end. */
u32 virtio_config_read32(const struct virtio_device *v, size_t offset);
/* Two halves of the same moment, as far as a device that changes all the time lets us. */
u64 virtio_config_read64(const struct virtio_device *v, size_t offset);

#endif
