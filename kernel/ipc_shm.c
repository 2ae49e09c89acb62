/* SPDX-License-Identifier: MIT
 *
 * System V shared memory: segments by key and id, attached and detached.
 *
 * A segment is a nameless tmpfs file that the table of segments keeps. shmat() opens that file anew, with the
 * rights it asks for, and maps it. How many vmas map a segment decides when it goes (IPC_RMID), so mm/ tells of
 * each one that comes and goes (struct vma_watch): fork, split, munmap, exec and exit need nothing else here.
 * The inode's number is the segment's id, as in Linux, where maps shows it; that is how a vma leads back.
 *
 * Locking: shm_lock, a spinlock, inside mmap_lock. What sleeps (the file's end, user copies) is done outside.
 */
#include <fs/vfs.h>
#include <kern/err.h>
#include <kern/knobs.h>
#include <kern/printf.h>
#include <kern/xarray.h>
#include <kernel/cred.h>
#include <kernel/ipc_shm.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <kernel/user.h>
#include <mm/mm.h>
#include <mm/slab.h>

#define SEQ_MAX 0xffff
#define MIN_CYCLE 64U /* indices are not used again before so many others */

spinlock_t shm_lock = SPINLOCK_INIT;
struct shm_totals shm_totals;
static struct xarray segments;	      /* [s] struct shm_segment by index; all zero: empty */
static int last_index = -1, sequence; /* [s] */

static s64 now_seconds(void)
{
	return (s64)(realtime_ns() / NSEC_PER_SEC);
}

/* ---- the table. shm_lock held ---- */

struct shm_segment *shm_find_index(int id)
{
	return xa_load(&segments, (unsigned long)(id & SHM_INDEX_MASK));
}

struct shm_segment *shm_find(int id)
{
	struct shm_segment *seg = shm_find_index(id);

	return seg && seg->id == id ? seg : NULL;
}

struct shm_segment *shm_next(unsigned long *index)
{
	return xa_find(&segments, index, SHM_INDEX_MASK);
}

static struct shm_segment *find_key(s32 key)
{
	struct shm_segment *seg;

	for (unsigned long i = 0; (seg = shm_next(&i)); i++)
		if (seg->key == key)
			return seg;
	return NULL;
}

bool shm_permitted(const struct shm_segment *seg, u32 want)
{
	u32 euid = current->cred.euid, granted = seg->mode;

	want = want >> 6 | want >> 3 | want;
	if (euid == seg->cuid || euid == seg->uid)
		granted >>= 6;
	else if (current_in_group(seg->cgid) || current_in_group(seg->gid))
		granted >>= 3;
	return !(want & ~granted & 7) || capable(CAP_IPC_OWNER);
}

/* A free index, as Linux chooses it: onwards from the last one, in a cycle that grows with the table. */
static int choose_index(void)
{
	unsigned int cycle =
		min(max(shm_totals.used * 3 / 2, MIN_CYCLE), (unsigned int)knob_shmmni);
	unsigned int index = (unsigned int)last_index;

	do
		index = index + 1 < cycle ? index + 1 : 0;
	while (xa_load(&segments, index));
	return (int)index;
}

/* 0, -ENOSPC, -EEXIST (the key is taken), or -EAGAIN: *index needs room in the table first. */
static int insert(struct shm_segment *seg, int *index)
{
	unsigned long pages = shm_pages(seg);
	int err;

	if (seg->key != IPC_PRIVATE && find_key(seg->key))
		return -EEXIST;
	if (shm_totals.used >= knob_shmmni || pages > knob_shmall ||
	    shm_totals.pages > knob_shmall - pages)
		return -ENOSPC;
	*index = choose_index();
	err = xa_store(&segments, (unsigned long)*index, seg);
	if (err)
		return err;
	if (*index <= last_index)
		sequence = sequence == SEQ_MAX ? 0 : sequence + 1;
	last_index = *index;
	seg->id = sequence << SHM_INDEX_BITS | *index;
	seg->file->inode->ino = (u64)seg->id;
	shm_totals.used++;
	shm_totals.pages += pages;
	return 0;
}

void shm_unlink(struct shm_segment *seg)
{
	xa_erase(&segments, (unsigned long)(seg->id & SHM_INDEX_MASK));
	shm_totals.used--;
	shm_totals.pages -= shm_pages(seg);
}

void shm_free(struct shm_segment *seg)
{
	if (seg->locked_by)
		user_uncharge_locked(seg->locked_by, shm_pages(seg));
	file_put(seg->file);
	kfree(seg);
}

/* One vma or attach less. */
static void put_attach(int id, bool detached)
{
	struct shm_segment *seg;
	bool last;

	spin_lock(&shm_lock);
	seg = shm_find(id);
	BUG_ON(!seg || !seg->nattch); /* an attached segment stays in the table */
	if (detached) {
		seg->dtime = now_seconds();
		seg->lpid = current->process->pid;
	}
	last = --seg->nattch == 0 && (seg->mode & SHM_DEST);
	if (last)
		shm_unlink(seg);
	spin_unlock(&shm_lock);
	if (last)
		shm_free(seg);
}

/* ---- what mm/ tells ---- */

static void segment_mapped(struct file *f)
{
	struct shm_segment *seg;

	spin_lock(&shm_lock);
	seg = shm_find((int)f->inode->ino);
	BUG_ON(!seg);
	seg->nattch++;
	seg->atime = now_seconds();
	seg->lpid = current->process->pid;
	spin_unlock(&shm_lock);
}

static void segment_unmapped(struct file *f)
{
	put_attach((int)f->inode->ino, true);
}

static const struct vma_watch segment_watch = {
	.opened = segment_mapped,
	.closed = segment_unmapped,
};

/* ---- shmget ---- */

/* The file that is a segment's memory, promised in full unless it is not to be. ERR_PTR. */
static struct file *segment_file(s32 key, u64 size, int flags)
{
	char name[16];
	struct file *f;

	snprintf(name, sizeof(name), "SYSV%08x", (u32)key);
	f = shmem_file_setup(name, size);
	if (IS_ERR(f))
		return f;
	f->inode->mapping.watch = &segment_watch;
	if ((flags & SHM_NORESERVE) && knob_overcommit_memory != 2)
		return f;
	if (mapping_commit(&f->inode->mapping, PAGE_ALIGN(size) >> PAGE_SHIFT)) {
		file_put(f);
		return ERR_PTR(-ENOMEM);
	}
	return f;
}

/* There are no huge pages: what Linux says when none was set aside. */
static int huge_error(u64 size, int flags)
{
	unsigned int shift = (unsigned int)flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK;

	if (shift && shift != PMD_SHIFT)
		return -EINVAL;
	if (!capable(CAP_IPC_LOCK) &&
	    size > READ_ONCE(current->process->rlimits[RLIMIT_MEMLOCK].rlim_cur))
		return -EPERM;
	return -ENOMEM;
}

/* Not yet in the table. ERR_PTR. */
static struct shm_segment *segment_alloc(s32 key, u64 size, int flags)
{
	struct shm_segment *seg;

	if (flags & SHM_HUGETLB)
		return ERR_PTR(huge_error(size, flags));
	seg = kzalloc(sizeof(*seg), GFP_KERNEL);
	if (!seg)
		return ERR_PTR(-ENOMEM);
	seg->file = segment_file(key, size, flags);
	if (IS_ERR(seg->file)) {
		long err = PTR_ERR(seg->file);

		kfree(seg);
		return ERR_PTR(err);
	}
	seg->key = key;
	seg->mode = (u32)flags & SHM_MODE_MASK;
	seg->cuid = seg->uid = current->cred.euid;
	seg->cgid = seg->gid = current->cred.egid;
	seg->size = size;
	seg->cpid = current->process->pid;
	seg->ctime = now_seconds();
	return seg;
}

/* The new segment's id, or -errno; -EEXIST: someone made one with the key meanwhile. */
static int segment_create(s32 key, u64 size, int flags)
{
	struct shm_segment *seg;
	int index, err;

	if (!size || size > knob_shmmax)
		return -EINVAL;
	if (size > ~0UL - PAGE_SIZE || PAGE_ALIGN(size) >> PAGE_SHIFT > knob_shmall)
		return -ENOSPC;
	seg = segment_alloc(key, size, flags);
	if (IS_ERR(seg))
		return (int)PTR_ERR(seg);
	do {
		spin_lock(&shm_lock);
		err = insert(seg, &index);
		if (!err)
			index = seg->id; /* an id from here on: others may remove it already */
		spin_unlock(&shm_lock);
	} while (err == -EAGAIN && !(err = xa_reserve(&segments, &shm_lock, (unsigned long)index)));
	if (err) {
		shm_free(seg);
		return err;
	}
	return index;
}

/* The id of the key's segment, -ENOENT, or why the caller cannot have it. */
static int segment_by_key(s32 key, u64 size, int flags)
{
	struct shm_segment *seg;
	int ret = -ENOENT;

	spin_lock(&shm_lock);
	seg = find_key(key);
	if (seg) {
		ret = seg->id;
		if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
			ret = -EEXIST;
		else if (seg->size < size)
			ret = -EINVAL;
		else if (!shm_permitted(seg, (u32)flags & SHM_MODE_MASK))
			ret = -EACCES;
	}
	spin_unlock(&shm_lock);
	return ret;
}

SYSCALL_DEFINE3(shmget, s32, key, size_t, size, int, flags)
{
	int ret;

	if (key == IPC_PRIVATE)
		return segment_create(key, size, flags);
	do {
		ret = segment_by_key(key, size, flags);
		if (ret != -ENOENT || !(flags & IPC_CREAT))
			return ret;
		ret = segment_create(key, size, flags);
	} while (ret == -EEXIST);
	return ret;
}

/* ---- shmat, shmdt ---- */

/* Counts the attach that begins, so that the segment stays. The segment, or ERR_PTR. */
static struct shm_segment *begin_attach(int id, u32 want)
{
	struct shm_segment *seg;

	if (id < 0)
		return ERR_PTR(-EINVAL);
	spin_lock(&shm_lock);
	seg = shm_find(id);
	if (!seg)
		seg = ERR_PTR(-EINVAL);
	else if (!shm_permitted(seg, want))
		seg = ERR_PTR(-EACCES);
	else
		seg->nattch++;
	spin_unlock(&shm_lock);
	return seg;
}

/* Where to map, as *addr and the flags for mmap. 0 or -EINVAL. */
static int place(unsigned long *addr, int flags, unsigned long *map_flags)
{
	*map_flags = MAP_SHARED;
	if (!*addr)
		return flags & SHM_REMAP ? -EINVAL : 0;
	if (*addr & ~PAGE_MASK) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		*addr &= PAGE_MASK;
		if (!*addr && (flags & SHM_REMAP))
			return -EINVAL;
	}
	*map_flags |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	return 0;
}

/* A file of its own for each attach: its rights stay with the mapping. The address or -errno. */
static long map_segment(const struct shm_segment *seg, unsigned long addr, unsigned long prot,
			unsigned long map_flags)
{
	bool write = prot & PROT_WRITE;
	struct file *f;
	long ret;

	if ((map_flags & MAP_FIXED_NOREPLACE) && addr + seg->size < addr)
		return -EEXIST;
	f = file_open_dentry(seg->file->dentry, (write ? O_RDWR : O_RDONLY) | O_LARGEFILE);
	if (IS_ERR(f))
		return PTR_ERR(f);
	ret = mm_mmap(current->mm, addr, seg->size, prot, map_flags, f, 0);
	file_put(f);
	return ret;
}

SYSCALL_DEFINE3(shmat, int, id, unsigned long, addr, int, flags)
{
	bool readonly = flags & SHM_RDONLY;
	unsigned long prot = readonly ? PROT_READ : PROT_READ | PROT_WRITE, map_flags;
	u32 want = readonly ? 0400 : 0600;
	struct shm_segment *seg;
	long ret;

	if (id < 0 || place(&addr, flags, &map_flags))
		return -EINVAL;
	if (flags & SHM_EXEC) {
		prot |= PROT_EXEC;
		want |= 0100;
	}
	seg = begin_attach(id, want);
	if (IS_ERR(seg))
		return PTR_ERR(seg);
	ret = map_segment(seg, addr, prot, map_flags);
	put_attach(id, false);
	/* As Linux says that the range is in use, or no range at all. */
	return ret == -EEXIST ? -EINVAL : ret;
}

SYSCALL_DEFINE1(shmdt, unsigned long, addr)
{
	return mm_shmdt(current->mm, addr);
}
