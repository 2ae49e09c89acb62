/* SPDX-License-Identifier: MIT
 *
 * The thread that collapses small pages.
 */
#ifndef KERNEL_KHUGEPAGED_H
#define KERNEL_KHUGEPAGED_H

/* Starts it, unless knob khugepaged says no; once, at boot. */
void khugepaged_init(void);

#endif
