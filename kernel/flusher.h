/* SPDX-License-Identifier: MIT
 *
 * The flusher thread.
 */
#ifndef KERNEL_FLUSHER_H
#define KERNEL_FLUSHER_H

/* Starts it; once, at boot. */
void flusher_init(void);

#endif
