/* SPDX-License-Identifier: MIT
 *
 * The names that uname() reports: defined beside that system call, shown in /proc/version and
 * /proc/sys/kernel.
 */
#ifndef KERNEL_UTSNAME_H
#define KERNEL_UTSNAME_H

#include <sync/spinlock.h>
#include <uapi/utsname.h>

extern spinlock_t utsname_lock;
/* nodename, domainname: [utsname_lock]; the others never change. */
extern struct new_utsname system_utsname;

#endif
