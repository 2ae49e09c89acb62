/* SPDX-License-Identifier: MIT
 *
 * Sessions and process groups, as far as exit.c and the terminals need them.
 */
#ifndef KERNEL_SESSION_H
#define KERNEL_SESSION_H

#include <kernel/task.h>

/*
 * Nobody outside the group but in its session is a parent of a member: a stopped member could never be
 * continued by a shell. ignored (may be NULL) counts as gone. tasklist_lock held.
 */
bool pgrp_is_orphaned(int pgid, const struct process *ignored);
/* Some member of the group is stopped by job control. tasklist_lock held. */
bool pgrp_has_stopped(int pgid);
/* Some process of session sid belongs to the group. tasklist_lock held. */
bool pgrp_in_session(int pgid, int sid);

/*
 * The caller's session loses its terminal; the foreground group gets SIGHUP and SIGCONT. A caller that
 * does not lead its session only forgets the terminal for itself. Takes tasklist_lock. Called by TIOCNOTTY and by the
 * last thread of an exiting session leader.
 */
void disassociate_ctty(void);

#endif
