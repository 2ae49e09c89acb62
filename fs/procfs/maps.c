/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/maps, smaps, smaps_rollup: the mappings of a process, formats as in proc(5). One vma is
 * one record and the cursor is the end of the last one shown; mmap_lock is held for reading for
 * one batch of records.
 */
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/string.h>
#include <mm/mm.h>

#define NAME_COLUMN 73 /* at least; always after another space */
#define MAPS_USUAL 160
#define SMAPS_USUAL 1100

/* Two letters for each flag bit, in order of the bits. */
static const char vm_flag_codes[][3] = {
	"rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "um", "pf", "gu", "uw", "lo",
	"io", "sr", "rr", "dc", "de", "lf", "ac", "nr", "ht", "sf", "ar", "wf", "dd", "sd",
	"mm", "hg", "nh", "mg", "??", "??", "??", "??", "??", "??", "??", "??", "dp",
};

static int maps_start(struct seq *s)
{
	struct mm *mm = proc_get_mm(s->node);

	if (!mm)
		return proc_task_exists(s->node->task) ? 1 : -ESRCH;
	if (mmap_read_lock_killable(mm)) {
		mm_put(mm);
		return -EINTR;
	}
	s->owner = mm;
	s->it = NULL;
	return 0;
}

static void maps_stop(struct seq *s)
{
	struct mm *mm = s->owner;

	mmap_read_unlock(mm);
	mm_put(mm);
}

/* The vma of the next record: s->it is the last one shown in this batch. */
static struct vma *next_vma(struct seq *s)
{
	return s->it ? vma_next(s->it) : vma_find(s->owner, s->cursor);
}

static void record_done(struct seq *s, struct vma *vma)
{
	if (s->overflow)
		return;
	s->cursor = vma->end;
	s->it = vma;
}

static void put_range(struct seq *s, unsigned long start, unsigned long end, const char *perms)
{
	seq_hex(s, start, 8);
	seq_putc(s, '-');
	seq_hex(s, end, 8);
	seq_putc(s, ' ');
	seq_puts(s, perms);
	seq_putc(s, ' ');
}

/* What is not shown as the file that it is. */
static const char *special_name(const struct mm *mm, const struct vma *vma)
{
	if (vma->flags & VM_SPECIAL)
		return vma->flags & VM_PFNMAP ? "[vvar]" : "[vdso]";
	if (vma->file)
		return NULL;
	if (vma->start < mm->brk && vma->end > mm->start_brk)
		return "[heap]";
	if (vma->start <= mm->start_stack && vma->end >= mm->start_stack)
		return "[stack]";
	return NULL;
}

static void pad_to_name(struct seq *s, size_t line)
{
	seq_pad(s, line, NAME_COLUMN - 1);
	seq_putc(s, ' ');
}

static void put_name(struct seq *s, size_t line, const struct mm *mm, const struct vma *vma)
{
	const char *name = special_name(mm, vma);

	if (vma->file || name)
		pad_to_name(s, line);
	if (name)
		seq_puts(s, name);
	else if (vma->file)
		seq_path(s, vma->file->dentry, "\n");
	seq_putc(s, '\n');
}

static void put_vma_line(struct seq *s, const struct mm *mm, const struct vma *vma)
{
	const char perms[5] = { vma->flags & VM_READ ? 'r' : '-', vma->flags & VM_WRITE ? 'w' : '-',
				vma->flags & VM_EXEC ? 'x' : '-',
				vma->flags & VM_MAYSHARE ? 's' : 'p', 0 };
	const struct inode *inode =
		vma->file && !(vma->flags & VM_SPECIAL) ? vma->file->inode : NULL;
	size_t line = s->len;

	put_range(s, vma->start, vma->end, perms);
	seq_hex(s, inode ? vma->pgoff << PAGE_SHIFT : 0, 8);
	seq_putc(s, ' ');
	seq_hex(s, inode ? MAJOR(inode->dev) : 0, 2);
	seq_putc(s, ':');
	seq_hex(s, inode ? MINOR(inode->dev) : 0, 2);
	seq_putc(s, ' ');
	seq_dec(s, inode ? inode->ino : 0, 1);
	seq_putc(s, ' ');
	put_name(s, line, mm, vma);
}

static int maps_next(struct seq *s)
{
	struct vma *vma = next_vma(s);

	if (!vma)
		return 0;
	put_vma_line(s, s->owner, vma);
	record_done(s, vma);
	return 1;
}

const struct seq_source maps_source = {
	.start = maps_start, .stop = maps_stop, .next = maps_next, .usual = MAPS_USUAL
};

/* ---- smaps ---- */

static void put_usage(struct seq *s, const struct vma_usage *u, bool rollup)
{
	seq_kb(s, "Rss:            ", u->rss >> 10);
	seq_kb(s, "Pss:            ", u->pss >> 10);
	seq_kb(s, "Pss_Dirty:      ", u->pss_dirty >> 10);
	if (rollup) {
		seq_kb(s, "Pss_Anon:       ", u->pss_anon >> 10);
		seq_kb(s, "Pss_File:       ", u->pss_file >> 10);
		seq_kb(s, "Pss_Shmem:      ", u->pss_shmem >> 10);
	}
	seq_kb(s, "Shared_Clean:   ", u->shared_clean >> 10);
	seq_kb(s, "Shared_Dirty:   ", u->shared_dirty >> 10);
	seq_kb(s, "Private_Clean:  ", u->private_clean >> 10);
	seq_kb(s, "Private_Dirty:  ", u->private_dirty >> 10);
	seq_kb(s, "Referenced:     ", u->referenced >> 10);
	seq_kb(s, "Anonymous:      ", u->anonymous >> 10);
	/* Of this kind of memory, and of those below, there is none here. */
	seq_puts(s, "KSM:                   0 kB\n");
	seq_kb(s, "LazyFree:       ", u->lazyfree >> 10);
	seq_kb(s, "AnonHugePages:  ", u->anon_huge >> 10);
	seq_kb(s, "ShmemPmdMapped: ", u->shmem_huge >> 10);
	seq_kb(s, "FilePmdMapped:  ", u->file_huge >> 10);
	seq_puts(s, "Shared_Hugetlb:        0 kB\n"
		    "Private_Hugetlb:       0 kB\n");
	seq_kb(s, "Swap:           ", u->swap >> 10);
	seq_kb(s, "SwapPss:        ", u->swap_pss >> 10);
	seq_kb(s, "Locked:         ", u->locked >> 10);
}

static void put_vm_flags(struct seq *s, unsigned long flags)
{
	seq_puts(s, "VmFlags: ");
	for (; flags; flags &= flags - 1) {
		unsigned int bit = (unsigned int)__builtin_ctzl(flags);

		seq_puts(s, bit < ARRAY_SIZE(vm_flag_codes) ? vm_flag_codes[bit] : "??");
		seq_putc(s, ' ');
	}
	seq_putc(s, '\n');
}

static int smaps_next(struct seq *s)
{
	struct vma *vma = next_vma(s);
	struct vma_usage u = { 0 };

	if (!vma)
		return 0;
	vma_usage(s->owner, vma, &u);
	put_vma_line(s, s->owner, vma);
	seq_kb(s, "Size:           ", (vma->end - vma->start) >> 10);
	seq_kb(s, "KernelPageSize: ", PAGE_SIZE >> 10);
	seq_kb(s, "MMUPageSize:    ", PAGE_SIZE >> 10);
	put_usage(s, &u, false);
	seq_puts(s,
		 thp_eligible(vma) ? "THPeligible:           1\n" : "THPeligible:           0\n");
	put_vm_flags(s, vma->flags);
	record_done(s, vma);
	return 1;
}

const struct seq_source smaps_source = {
	.start = maps_start, .stop = maps_stop, .next = smaps_next, .usual = SMAPS_USUAL
};

/* ---- smaps_rollup ---- */

/*
 * Sums all vmas, letting waiting writers in between two of them. mmap_lock is held for reading before and after;
 * -EINTR: it is not held any more.
 */
static int sum_usage(struct mm *mm, struct vma_usage *u, unsigned long *first, unsigned long *last)
{
	struct vma *vma = vma_first(mm);

	*first = vma ? vma->start : 0;
	*last = 0;
	while (vma) {
		vma_usage(mm, vma, u);
		*last = vma->end;
		if (rwsem_is_contended(&mm->mmap_lock)) {
			mmap_read_unlock(mm);
			cond_resched();
			if (mmap_read_lock_killable(mm))
				return -EINTR;
			vma = vma_find(mm, *last);
		} else {
			vma = vma_next(vma);
		}
	}
	return 0;
}

int smaps_rollup_show(struct seq *s)
{
	struct mm *mm = proc_get_mm(s->node);
	struct vma_usage u = { 0 };
	unsigned long first, last;
	size_t line = s->len;
	int ret;

	if (!mm)
		return -ESRCH;
	ret = mmap_read_lock_killable(mm);
	if (!ret)
		ret = sum_usage(mm, &u, &first, &last);
	if (!ret)
		mmap_read_unlock(mm);
	mm_put(mm);
	if (ret)
		return -EINTR;
	put_range(s, first, last, "---p");
	seq_puts(s, "00000000 00:00 0 ");
	pad_to_name(s, line);
	seq_puts(s, "[rollup]\n");
	put_usage(s, &u, true);
	return 0;
}
