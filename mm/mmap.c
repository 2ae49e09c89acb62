/* SPDX-License-Identifier: MIT
 *
 * mmap: check, find a place, make room, charge, merge or create; population comes after the lock is
 * gone. The order of the checks is Linux's, because programs see it through errno.
 */
#include "collapse.h"
#include "filemap_large.h"
#include "populate.h"
#include "vma.h"

/* Linux's LEGACY_MAP_MASK: what MAP_SHARED_VALIDATE accepts. */
#define MAP_LEGACY_MASK                                                                            \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE |   \
	 MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |    \
	 MAP_HUGETLB | MAP_32BIT | MAP_FIXED_NOREPLACE)

/* One call's way through the checks. */
struct map_request {
	unsigned long addr; /* the hint */
	unsigned long len;  /* bytes, page-aligned */
	unsigned long prot, map_flags;
	struct vma_desc vma;  /* what will be there; its start is found first */
	bool new_file;	      /* vma.file is a shared anonymous object made for this call */
	bool keeps_seals_off; /* counted in vma.mapping->nr_writable */
};

static unsigned long prot_to_vm_flags(unsigned long prot)
{
	return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
	       (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* No byte of the mapping may lie beyond the largest file offset, 2^63 - 1. */
static bool file_range_ok(const struct map_request *rq)
{
	unsigned long room = ~0UL >> 1;

	return rq->len <= room && rq->vma.pgoff <= (room - rq->len) >> PAGE_SHIFT;
}

/* Secret memory is locked as long as it is mapped, and nobody's copy of it is private. */
static int check_secret(const struct mm *mm, struct map_request *rq)
{
	if (!(rq->vma.flags & VM_MAYSHARE))
		return -EINVAL;
	if (!may_lock_pages(mm, rq->len >> PAGE_SHIFT))
		return -EAGAIN;
	rq->vma.flags |= VM_LOCKED | VM_DONTDUMP;
	return 0;
}

/* The place was found before it was known what is mapped there: where large folios fit, and khugepaged finds it. */
static void place_for_folios(struct mm *mm, struct map_request *rq)
{
	const unsigned long *huge = rq->vma.mapping ? rq->vma.mapping->huge : &knob_thp_shmem;

	if (likely(!shmem_may_be_large(huge)))
		return;
	khugepaged_enter(mm);
	if (!(rq->map_flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
		rq->vma.start = shmem_unmapped_area(mm, rq->addr, rq->len, rq->map_flags, huge,
						    rq->vma.pgoff);
}

/* What the file's mode allows. Fills vma.flags and vma.mapping. */
static int check_file(struct mm *mm, struct map_request *rq)
{
	unsigned long type = rq->map_flags & MAP_TYPE;
	struct file_mmap fm;
	int err;

	if (!file_range_ok(rq))
		return -EOVERFLOW;
	if (type == MAP_SHARED_VALIDATE && (rq->map_flags & ~MAP_LEGACY_MASK & ~MAP_TYPE))
		return -EOPNOTSUPP;
	if (type != MAP_SHARED && type != MAP_SHARED_VALIDATE && type != MAP_PRIVATE)
		return -EINVAL;
	err = file_mmap_info(rq->vma.file, &fm);
	if (type != MAP_PRIVATE && (rq->prot & PROT_WRITE) && !fm.writable)
		return -EACCES;
	if (!fm.readable)
		return -EACCES;
	if (fm.noexec) {
		if (rq->vma.flags & VM_EXEC)
			return -EPERM;
		rq->vma.flags &= ~VM_MAYEXEC;
	}
	if (err)
		return err;
	if (rq->vma.flags & VM_GROWSDOWN)
		return -EINVAL;
	if (type != MAP_PRIVATE) {
		rq->vma.flags |= VM_SHARED | VM_MAYSHARE;
		if (!fm.writable)
			rq->vma.flags &= ~(VM_MAYWRITE | VM_SHARED);
	}
	rq->vma.mapping = fm.mapping;
	if (fm.mapping || (rq->vma.flags & VM_MAYSHARE))
		place_for_folios(mm, rq);
	if (fm.mapping && (RACY_READ(fm.mapping->flags) & MAPPING_SECRET))
		return check_secret(mm, rq);
	return 0;
}

/* What MAP_POPULATE with MAP_NONBLOCK asks for is nothing, but a locked mapping is filled all the same. */
static bool wants_populate(const struct mm *mm, const struct map_request *rq)
{
	if (knob_populate == POPULATE_EAGER)
		return true;
	if ((rq->vma.flags & VM_LOCKED) && future_populates(mm))
		return true;
	return (rq->map_flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
}

static int check_anonymous(struct mm *mm, struct map_request *rq)
{
	switch (rq->map_flags & MAP_TYPE) {
	case MAP_SHARED:
		if (rq->vma.flags & VM_GROWSDOWN)
			return -EINVAL;
		rq->vma.pgoff = 0;
		rq->vma.flags |= VM_SHARED | VM_MAYSHARE;
		place_for_folios(mm, rq);
		return 0;
	case MAP_DROPPABLE:
		if ((rq->map_flags & MAP_LOCKED) || (rq->vma.flags & VM_GROWSDOWN))
			return -EINVAL;
		/* MCL_FUTURE fills it, but a lock would be no use. */
		if (wants_populate(mm, rq))
			rq->map_flags = (rq->map_flags & ~MAP_NONBLOCK) | MAP_POPULATE;
		rq->vma.flags &= ~VM_LOCK_BITS;
		/* What may be forgotten at any time is no promise, and no child's business. */
		rq->vma.flags |= VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
		rq->vma.pgoff = rq->vma.start >> PAGE_SHIFT;
		return 0;
	case MAP_PRIVATE:
		rq->vma.pgoff = rq->vma.start >> PAGE_SHIFT;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Shared anonymous memory, and a shared mapping of /dev/zero, is a nameless tmpfs file. */
static int make_shared_file(struct map_request *rq)
{
	unsigned long pages = rq->len >> PAGE_SHIFT;
	struct file *file;
	struct file_mmap fm;

	if (rq->vma.mapping || !(rq->vma.flags & VM_MAYSHARE))
		return 0;
	if (!(rq->vma.flags & VM_NORESERVE) && vm_commit_charge(pages))
		return -ENOMEM;
	file = shmem_file_setup("dev/zero", rq->len);
	if (IS_ERR(file) || file_mmap_info(file, &fm)) {
		if (!(rq->vma.flags & VM_NORESERVE))
			vm_commit_uncharge(pages);
		if (IS_ERR(file))
			return (int)PTR_ERR(file);
		file_put(file);
		return -ENODEV;
	}
	/* The promise lasts as long as the object: mapping_destroy() takes it back. */
	if (!(rq->vma.flags & VM_NORESERVE))
		fm.mapping->committed = pages;
	rq->vma.file = file;
	rq->vma.mapping = fm.mapping;
	rq->vma.pgoff = 0;
	rq->new_file = true;
	return 0;
}

/*
 * A write seal on a memfd: no writable shared mapping any more, and none that may become one. One that is
 * being made counts already, so that no seal comes between this check and the vma.
 */
static int check_seals(struct map_request *rq)
{
	struct mapping *m = rq->vma.mapping;
	int err = 0;

	if (likely(!m || !(m->flags & MAPPING_SEALABLE)) || !(rq->vma.flags & VM_SHARED))
		return 0;
	down_write(&m->i_mmap_lock);
	if (!m->seal_write) {
		m->nr_writable++;
		rq->keeps_seals_off = true;
	} else if (rq->vma.flags & VM_WRITE) {
		err = -EPERM;
	} else {
		rq->vma.flags &= ~VM_MAYWRITE;
	}
	up_write(&m->i_mmap_lock);
	return err;
}

static void allow_seals(struct map_request *rq)
{
	if (likely(!rq->keeps_seals_off))
		return;
	down_write(&rq->vma.mapping->i_mmap_lock);
	rq->vma.mapping->nr_writable--;
	up_write(&rq->vma.mapping->i_mmap_lock);
}

/* Pages of the range that are mapped already and will be replaced. */
static unsigned long count_mapped(struct mm *mm, unsigned long start, unsigned long end)
{
	unsigned long pages = 0;

	for (struct vma *vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(vma))
		pages += (min(end, vma->end) - max(start, vma->start)) >> PAGE_SHIFT;
	return pages;
}

/* Makes the vma. What can fail after the old mappings are gone gives their place up, as in Linux. */
static int map_region(struct mm *mm, struct map_request *rq)
{
	unsigned long pages = rq->len >> PAGE_SHIFT, charged = 0;
	struct vma_desc *d = &rq->vma;
	struct vma_neighbours nb = vma_neighbours(mm, d->start);
	struct vma *vma;
	int err;

	d->end = d->start + rq->len;
	if (!may_expand_vm(mm, d->flags, pages) &&
	    !may_expand_vm(mm, d->flags, pages - count_mapped(mm, d->start, d->end)))
		return -ENOMEM;
	if (nb.next && nb.next->start < d->end) {
		err = munmap_locked(mm, d->start, d->end);
		if (err)
			return err;
		nb = vma_neighbours(mm, d->start);
	}
	if (vm_is_accountable(d->flags)) {
		err = vm_commit_charge(pages);
		if (err)
			return err;
		charged = pages;
		d->flags |= VM_ACCOUNT;
	}
	if (!vma_merge_new(mm, d, &nb)) {
		vma = vma_alloc(mm, d);
		if (!vma) {
			vm_commit_uncharge(charged);
			return -ENOMEM;
		}
		vma_link(mm, vma, &nb);
	}
	vm_stat_account(mm, d->flags, (long)pages);
	return 0;
}

/* All checks and the mapping itself. mmap_lock held for writing. The address, or -errno. */
static long do_mmap(struct mm *mm, struct map_request *rq)
{
	unsigned long addr;
	int err;

	if ((unsigned long)mm->map_count > knob_max_map_count)
		return -ENOMEM;
	addr = get_unmapped_area(mm, rq->addr, rq->len, rq->map_flags);
	if (IS_ERR_VALUE(addr))
		return (long)addr;
	if (rq->map_flags & MAP_FIXED_NOREPLACE) {
		struct vma *vma = vma_find(mm, addr);

		if (vma && vma->start < addr + rq->len)
			return -EEXIST;
	}
	rq->vma.flags = prot_to_vm_flags(rq->prot) | future_lock_flags(mm) | VM_MAYREAD |
			VM_MAYWRITE | VM_MAYEXEC;
	if (rq->map_flags & MAP_GROWSDOWN)
		rq->vma.flags |= VM_GROWSDOWN;
	if (rq->map_flags & MAP_LOCKED) {
		if (!may_lock_anything())
			return -EPERM;
		rq->vma.flags |= VM_LOCKED;
	}
	if (knob_populate_vm_populate && wants_populate(mm, rq))
		rq->vma.flags |= VM_POPULATE;
	if ((rq->vma.flags & VM_LOCKED) && !may_lock_pages(mm, rq->len >> PAGE_SHIFT))
		return -EAGAIN;
	rq->vma.start = addr;
	err = rq->vma.file ? check_file(mm, rq) : check_anonymous(mm, rq);
	if (err)
		return err;
	if ((rq->map_flags & MAP_NORESERVE) && knob_overcommit_memory != 2)
		rq->vma.flags |= VM_NORESERVE;
	err = make_shared_file(rq);
	if (!err)
		err = check_seals(rq);
	if (!err)
		err = map_region(mm, rq);
	allow_seals(rq);
	return err ? err : (long)rq->vma.start;
}

long mm_mmap(struct mm *mm, unsigned long addr, unsigned long len, unsigned long prot,
	     unsigned long flags, struct file *file, unsigned long pgoff)
{
	/* Every member is named: fewer instructions than to clear what is not. */
	struct map_request rq = {
		.addr = addr,
		.len = PAGE_ALIGN(len),
		.prot = prot,
		.map_flags = flags,
		.vma.start = 0,
		.vma.end = 0,
		.vma.flags = 0,
		.vma.file = file,
		.vma.mapping = NULL,
		.vma.pgoff = pgoff,
		.vma.anon = NULL,
		.new_file = false,
		.keeps_seals_off = false,
	};
	unsigned long populate;
	long ret;

	if (len == 0)
		return -EINVAL;
	if (rq.len == 0)
		return -ENOMEM;
	if (pgoff + (rq.len >> PAGE_SHIFT) < pgoff)
		return -EOVERFLOW;
	if (flags & MAP_HUGETLB)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = do_mmap(mm, &rq);
	validate_mm(mm, rq.vma.start, rq.vma.start + rq.len);
	populate = ret >= 0 && wants_populate(mm, &rq) ? rq.len : 0;
	(void)mmap_write_unlock_populate(mm, (unsigned long)ret, (unsigned long)ret + populate, 0);
	if (rq.new_file)
		file_put(rq.vma.file);
	return ret;
}

/*
 * The long-gone system call, emulated as Linux does since 4.0: the pages of a shared file mapping are
 * replaced by a new mapping of another part of the file.
 */
int mm_remap_file_pages(struct mm *mm, unsigned long addr, unsigned long size, unsigned long prot,
			unsigned long pgoff, unsigned long flags)
{
	unsigned long start = addr & PAGE_MASK, vm_flags;
	struct map_request rq;
	struct vma *vma;
	struct file *file;
	long ret;

	size = size & PAGE_MASK;
	if (prot || start + size <= start || pgoff + (size >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, start);
	ret = -EINVAL;
	if (!vma || !(vma->flags & VM_SHARED) || !vma->file)
		goto out_unlock;
	/* The range may cross vmas only while they are one mapping of one file. */
	for (struct vma *v = vma; start + size > v->end;) {
		struct vma *next = vma_next(v);

		if (!next || next->start != v->end || next->file != vma->file ||
		    next->flags != vma->flags)
			goto out_unlock;
		v = next;
	}
	vm_flags = vma->flags;
	file = vma->file;
	file_get(file);
	rq = (struct map_request){
		.addr = start,
		.len = size,
		.prot = (vm_flags & VM_READ ? PROT_READ : 0) |
			(vm_flags & VM_WRITE ? PROT_WRITE : 0) |
			(vm_flags & VM_EXEC ? PROT_EXEC : 0),
		.map_flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE | (flags & MAP_NONBLOCK) |
			     (vm_flags & VM_LOCKED ? MAP_LOCKED : 0),
		.vma = { .file = file, .pgoff = pgoff },
	};
	ret = do_mmap(mm, &rq);
	validate_mm(mm, start, start + size);
	if (ret < 0 || !wants_populate(mm, &rq))
		size = 0;
	(void)mmap_write_unlock_populate(mm, start, start + size, 0);
	file_put(file);
	return ret < 0 ? (int)ret : 0;
out_unlock:
	mmap_write_unlock(mm);
	return (int)ret;
}
