/* SPDX-License-Identifier: MIT
 *
 * What the thread that compacts in the background is made of: mm/kcompactd.c, in a thread of kernel/kcompactd.c.
 */
#ifndef MM_KCOMPACTD_H
#define MM_KCOMPACTD_H

#include <kern/types.h>

/* The thread is this one. */
void kcompactd_begin(void);
/* Sleeps until kcompactd_wake(), which any context may call: somebody asks, it is time to look, settings have changed. */
void kcompactd_wait(void);
void kcompactd_wake(void);
/* Somebody wants 2 MiB, or will: it sees to it from now on that there are some. Any context. */
void kcompactd_watch(void);
/* Somebody has changed how much it is to see to: what was tried in vain may not be now. */
void kcompactd_look_again(void);
/* Makes the block that was asked for last, if any. */
void kcompactd_serve(void);
/* Twice a second somebody is to look. */
bool kcompactd_watches(void);
/* Compacts if too much of free memory is in small blocks. */
void kcompactd_look(void);

#endif
