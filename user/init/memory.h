/* SPDX-License-Identifier: MIT
 *
 * The leak oracle's guest half: what the kernel holds before and after a job (tests/guest.py compares).
 */
#ifndef USER_INIT_MEMORY_H
#define USER_INIT_MEMORY_H

/*
 * Sends /proc/meminfo, the objects of each slab cache and what a debug kernel finds wrong with its books, once
 * everything that can be given back is given back. when: "before" or "after". Nobody else runs.
 */
void report_memory(const char *when);

#endif
