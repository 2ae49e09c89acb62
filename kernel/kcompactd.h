/* SPDX-License-Identifier: MIT
 *
 * The thread that compacts.
 */
#ifndef KERNEL_KCOMPACTD_H
#define KERNEL_KCOMPACTD_H

/* Starts it; once, at boot. */
void kcompactd_init(void);

#endif
