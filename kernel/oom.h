/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_OOM_H
#define KERNEL_OOM_H

struct mm;

#define OOM_SCORE_ADJ_MIN (-1000)

/*
 * Pages that killing would give back, page tables included, adjusted by adj thousandths of RAM and swap: the largest
 * is killed first. Source: Linux's oom_badness().
 */
long oom_badness(const struct mm *mm, int adj);

#endif
