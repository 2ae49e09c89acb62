/* SPDX-License-Identifier: MIT
 *
 * The registers of a virtio device on PCI. Set-up runs at boot, by one task; what runs later says so.
 */
#include <arch/cpu.h>
#include <arch/mmio.h>
#include <arch/timer.h>
#include <drivers/virtio_pci.h>
#include <mm/page_alloc.h>
#include <uapi/errno.h>

/* struct virtio_pci_cap, in configuration space */
#define CAP_KIND 3
#define CAP_BAR 4
#define CAP_OFFSET 8
#define CAP_LENGTH 12
#define CAP_NOTIFY_MULTIPLIER 16
enum { KIND_COMMON = 1, KIND_NOTIFY = 2, KIND_CONFIG = 4 };

/* struct virtio_pci_common_cfg */
#define DEVICE_FEATURE_SELECT 0
#define DEVICE_FEATURE 4
#define DRIVER_FEATURE_SELECT 8
#define DRIVER_FEATURE 12
#define CONFIG_VECTOR 16
#define NUM_QUEUES 18
#define DEVICE_STATUS 20
#define CONFIG_GENERATION 21
#define QUEUE_SELECT 22
#define QUEUE_SIZE 24
#define QUEUE_VECTOR 26
#define QUEUE_ENABLE 28
#define QUEUE_NOTIFY_OFF 30
#define QUEUE_DESC 32
#define QUEUE_DRIVER 40
#define QUEUE_DEVICE 48
#define COMMON_LENGTH 56

#define NO_VECTOR 0xffff
#define RESET_NS 1000000000ULL
#define GENERATION_TRIES 100

/* ---- finding the structures ---- */

/* Maps the first usable structure of a kind. *len: its length. NULL: there is none. */
static char *map_structure(const struct pci_dev *pci, u8 kind, size_t *len, u8 *cap)
{
	for (u8 at = 0; (at = pci_find_capability(pci, PCI_CAP_VENDOR, at));) {
		char *p;

		if (pci_read8(pci, at + CAP_KIND) != kind)
			continue;
		*len = pci_read32(pci, at + CAP_LENGTH);
		p = pci_map_bar(pci, pci_read8(pci, at + CAP_BAR), pci_read32(pci, at + CAP_OFFSET),
				*len);
		if (p) {
			*cap = at;
			return p;
		}
	}
	return NULL;
}

int virtio_init(struct virtio_device *v, const struct pci_dev *pci)
{
	size_t len = 0;
	u8 cap = 0;

	*v = (struct virtio_device){ .pci = pci };
	pci_enable(pci);
	v->common = map_structure(pci, KIND_COMMON, &len, &cap);
	if (!v->common || len < COMMON_LENGTH)
		return -ENODEV;
	v->config = map_structure(pci, KIND_CONFIG, &v->config_len, &cap);
	v->notify = map_structure(pci, KIND_NOTIFY, &v->notify_len, &cap);
	if (!v->notify)
		return -ENODEV;
	v->notify_multiplier = pci_read32(pci, cap + CAP_NOTIFY_MULTIPLIER);
	return pci_msix_init(pci, &v->msix);
}

/* ---- status and features ---- */

u8 virtio_status(const struct virtio_device *v)
{
	return mmio_read8(v->common + DEVICE_STATUS);
}

void virtio_set_status(struct virtio_device *v, u8 bits)
{
	mmio_write8(v->common + DEVICE_STATUS, virtio_status(v) | bits);
}

int virtio_reset(struct virtio_device *v)
{
	u64 deadline = clock_ns() + RESET_NS;

	mmio_write8(v->common + DEVICE_STATUS, 0);
	while (virtio_status(v)) {
		if (clock_ns() > deadline)
			return -EIO;
		cpu_relax();
	}
	return 0;
}

static u64 offered_features(struct virtio_device *v)
{
	u64 features;

	mmio_write32(v->common + DEVICE_FEATURE_SELECT, 0);
	features = mmio_read32(v->common + DEVICE_FEATURE);
	mmio_write32(v->common + DEVICE_FEATURE_SELECT, 1);
	return features | (u64)mmio_read32(v->common + DEVICE_FEATURE) << 32;
}

int virtio_negotiate(struct virtio_device *v, u64 wanted)
{
	v->features = offered_features(v) & (wanted | VIRTIO_F_VERSION_1);
	if (!(v->features & VIRTIO_F_VERSION_1))
		return -EIO;
	mmio_write32(v->common + DRIVER_FEATURE_SELECT, 0);
	mmio_write32(v->common + DRIVER_FEATURE, (u32)v->features);
	mmio_write32(v->common + DRIVER_FEATURE_SELECT, 1);
	mmio_write32(v->common + DRIVER_FEATURE, (u32)(v->features >> 32));
	virtio_set_status(v, VIRTIO_FEATURES_OK);
	return virtio_status(v) & VIRTIO_FEATURES_OK ? 0 : -EIO;
}

/* ---- interrupts and queues ---- */

/* The nth message calls fn; the register of the common structure says so to the device. */
static int use_message(struct virtio_device *v, unsigned int n, unsigned int reg, const char *name,
		       void (*fn)(void *), void *arg)
{
	struct msi_message msg;
	int err;

	if (n >= v->msix.nr)
		return -ENOSPC;
	err = msi_register(name, fn, arg, &msg);
	if (err)
		return err;
	pci_msix_set(&v->msix, n, &msg);
	pci_msix_enable(v->pci, &v->msix);
	mmio_write16(v->common + reg, (u16)n);
	return mmio_read16(v->common + reg) == NO_VECTOR ? -ENOSPC : 0;
}

int virtio_config_interrupt(struct virtio_device *v, const char *name, void (*fn)(void *),
			    void *arg)
{
	return use_message(v, 0, CONFIG_VECTOR, name, fn, arg);
}

static void write64(char *reg, u64 value)
{
	mmio_write32(reg, (u32)value);
	mmio_write32(reg + 4, (u32)(value >> 32));
}

/* The largest power of two that both sides can do. 0: there is no such queue. */
static unsigned int queue_size(struct virtio_device *v, unsigned int n)
{
	unsigned int max, size = VIRTQUEUE_MAX;

	if (n >= mmio_read16(v->common + NUM_QUEUES))
		return 0;
	mmio_write16(v->common + QUEUE_SELECT, (u16)n);
	max = mmio_read16(v->common + QUEUE_SIZE);
	while (size > max)
		size /= 2;
	return size;
}

static int allocate_queue(struct virtqueue *q, unsigned int size)
{
	unsigned int order = 0;
	struct page *p;

	while (PAGE_SIZE << order < virtqueue_bytes(size))
		order++;
	p = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);
	if (!p)
		return -ENOMEM;
	virtqueue_init(q, size, page_address(p));
	return 0;
}

int virtio_queue_init(struct virtio_device *v, unsigned int n, struct virtqueue *q,
		      const char *name, void (*fn)(void *), void *arg, void **doorbell)
{
	unsigned int size = queue_size(v, n);
	u64 offset = (u64)mmio_read16(v->common + QUEUE_NOTIFY_OFF) * v->notify_multiplier;
	int err;

	if (!size || offset + sizeof(u16) > v->notify_len)
		return -ENODEV;
	*doorbell = v->notify + offset;
	err = allocate_queue(q, size);
	if (!err)
		err = use_message(v, 1 + n, QUEUE_VECTOR, name, fn, arg);
	if (err)
		return err;
	mmio_write16(v->common + QUEUE_SIZE, (u16)size);
	write64(v->common + QUEUE_DESC, virt_to_phys(q->desc));
	write64(v->common + QUEUE_DRIVER, virt_to_phys(q->avail));
	write64(v->common + QUEUE_DEVICE, virt_to_phys(q->used));
	mmio_write16(v->common + QUEUE_ENABLE, 1);
	return 0;
}

/* ---- the device's configuration: any time ---- */

u32 virtio_config_read32(const struct virtio_device *v, size_t offset)
{
	if (!v->config || offset + sizeof(u32) > v->config_len)
		return 0;
	return mmio_read32(v->config + offset);
}

u64 virtio_config_read64(const struct virtio_device *v, size_t offset)
{
	u64 value = 0;

	for (unsigned int i = 0; i < GENERATION_TRIES; i++) {
		u8 generation = mmio_read8(v->common + CONFIG_GENERATION);

		value = virtio_config_read32(v, offset);
		value |= (u64)virtio_config_read32(v, offset + 4) << 32;
		if (mmio_read8(v->common + CONFIG_GENERATION) == generation)
			break;
	}
	return value;
}
