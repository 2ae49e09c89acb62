/* SPDX-License-Identifier: MIT
 *
 * Block devices as files.
 */
#ifndef FS_BLKDEV_H
#define FS_BLKDEV_H

#include <fs/vfs.h>

struct block_device;

extern const struct file_ops blkdev_fops;

/* The device behind an open block special file; NULL: the file is none. It stays for as long as the file is open. */
struct block_device *file_block_device(const struct file *f);

/* For drivers/block.c: gives a new device its page cache and its node in /dev. 0 or -ENOMEM. */
int blkdev_create(struct block_device *dev);
/* dev->size has changed. May sleep. */
void blkdev_resized(struct block_device *dev);

#endif
