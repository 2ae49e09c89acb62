/* SPDX-License-Identifier: MIT
 *
 * Changing identity.
 */
#ifndef KERNEL_CRED_H
#define KERNEL_CRED_H

#include <kernel/task.h>

struct inode;

/*
 * The identity that the caller has after executing a file of this inode: set-user-ID and
 * set-group-ID bits (unless nosuid) and the capability rules for root. *secure: AT_SECURE.
 */
void cred_after_exec(struct cred *new, const struct inode *inode, bool nosuid, bool *secure);

/*
 * The caller becomes new; with another namespace new brings a reference to that. 0, or -EAGAIN: no memory to count
 * the user's tasks with.
 */
int commit_creds(const struct cred *new);

/* The caller is a member of this group, by its fsgid or a supplementary one. */
bool current_in_group(u32 gid);

#endif
