/* SPDX-License-Identifier: MIT
 *
 * What process 1 does before its first job.
 */
#ifndef USER_INIT_STARTUP_H
#define USER_INIT_STARTUP_H

/*
 * Touches the pages and page tables that a job would be said to keep when init touched them first while it
 * runs: those of the stack, and those of the vDSO's clock, which may lie alone in their page table.
 */
void touch_memory(void);

/* Mounts what Linux leaves to its first process; Faultline has all of it from the start. */
void mount_filesystems(void);

/* Linux only: loads the modules named in /etc/faultline/modules, one path a line. */
void load_modules(void);

#endif
