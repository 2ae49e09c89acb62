/* SPDX-License-Identifier: MIT
 *
 * Random numbers: a ChaCha20 generator that is ready from its first use and never blocks.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <kern/types.h>

u64 random_u64(void);
/* Any context, any length. */
void random_bytes(void *buf, size_t n);
/*
 * The same into user memory. Bytes written: fewer than n after a fault or a signal; -EFAULT when
 * none could be.
 */
ssize_t random_bytes_user(void __user *buf, size_t n);
/* Stirs something in (what is written to /dev/urandom); it can only add to what nobody knows. */
void random_stir(const void *data, size_t n);

#endif
