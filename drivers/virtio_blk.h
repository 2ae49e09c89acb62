/* SPDX-License-Identifier: MIT
 *
 * Disks of virtual machines.
 */
#ifndef DRIVERS_VIRTIO_BLK_H
#define DRIVERS_VIRTIO_BLK_H

/* Finds the disks and registers them: at boot, after /dev exists. */
void virtio_blk_init(void);

#endif
