/* SPDX-License-Identifier: MIT
 *
 * The thread that frees what RCU readers are done with.
 */
#ifndef KERNEL_RCU_H
#define KERNEL_RCU_H

/* Starts it; once, at boot. */
void rcu_init(void);

#endif
