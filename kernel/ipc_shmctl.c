/* SPDX-License-Identifier: MIT
 *
 * shmctl(): what a segment is, who owns it, its lock, its end.
 *
 * SHM_LOCK is a property of the segment, not of a mapping: it marks the file's pages unevictable and shows in no
 * VmLck. It is charged to the user, all of the size at once, against the RLIMIT_MEMLOCK of whoever asked.
 */
#include <arch/uaccess.h>
#include <fs/vfs.h>
#include <kern/knobs.h>
#include <kern/string.h>
#include <kernel/ipc_shm.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <kernel/user.h>
#include <kernel/user_namespace.h>

void shm_describe(const struct shm_segment *seg, const struct user_namespace *ns,
		  struct shm_report *r)
{
	struct mapping *m = &seg->file->inode->mapping;
	struct shmid64_ds *ds = &r->ds;
	unsigned long pages = mapping_nr_pages(m), swapped = READ_ONCE(m->nr_swapped);

	memset(r, 0, sizeof(*r));
	r->id = seg->id;
	ds->shm_perm.key = seg->key;
	ds->shm_perm.uid = shown_uid(ns, seg->uid);
	ds->shm_perm.gid = shown_gid(ns, seg->gid);
	ds->shm_perm.cuid = shown_uid(ns, seg->cuid);
	ds->shm_perm.cgid = shown_gid(ns, seg->cgid);
	ds->shm_perm.mode = seg->mode;
	ds->shm_perm.seq = (u16)(seg->id >> SHM_INDEX_BITS);
	ds->shm_segsz = seg->size;
	ds->shm_atime = seg->atime;
	ds->shm_dtime = seg->dtime;
	ds->shm_ctime = seg->ctime;
	ds->shm_cpid = seg->cpid;
	ds->shm_lpid = seg->lpid;
	ds->shm_nattch = seg->nattch;
	r->swap = min(swapped, pages);
	r->rss = pages - r->swap;
}

/* The highest index in use; 0 when there is none. shm_lock held. */
static long max_index(void)
{
	unsigned long last = 0;

	for (unsigned long i = 0; shm_next(&i); i++)
		last = i;
	return (long)last;
}

static long limits(void __user *buf)
{
	struct shminfo64 info = { .shmmax = knob_shmmax,
				  .shmmin = 1,
				  .shmmni = knob_shmmni,
				  .shmseg = knob_shmmni,
				  .shmall = knob_shmall };
	long ret;

	spin_lock(&shm_lock);
	ret = max_index();
	spin_unlock(&shm_lock);
	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : ret;
}

static long usage(void __user *buf)
{
	struct shm_info info;
	struct shm_segment *seg;
	long ret;

	memset(&info, 0, sizeof(info));
	spin_lock(&shm_lock);
	info.used_ids = (s32)shm_totals.used;
	info.shm_tot = shm_totals.pages;
	for (unsigned long i = 0; (seg = shm_next(&i)); i++) {
		struct shm_report r;

		shm_describe(seg, current_user_ns(), &r);
		info.shm_rss += r.rss;
		info.shm_swp += r.swap;
	}
	ret = max_index();
	spin_unlock(&shm_lock);
	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : ret;
}

static long stat(int id, int cmd, void __user *buf)
{
	struct shm_segment *seg;
	struct shm_report r;
	long ret = 0;

	spin_lock(&shm_lock);
	seg = cmd == IPC_STAT ? shm_find(id) : shm_find_index(id);
	if (!seg)
		ret = -EINVAL;
	else if (cmd != SHM_STAT_ANY && !shm_permitted(seg, 0400))
		ret = -EACCES;
	else
		shm_describe(seg, current_user_ns(), &r);
	spin_unlock(&shm_lock);
	if (ret)
		return ret;
	if (copy_to_user(buf, &r.ds, sizeof(r.ds)))
		return -EFAULT;
	return cmd == IPC_STAT ? 0 : r.id;
}

static bool is_owner(const struct shm_segment *seg)
{
	return current->cred.euid == seg->uid || current->cred.euid == seg->cuid;
}

/* 0, -EINVAL, -EPERM. shm_lock held. */
static int check_owner(const struct shm_segment *seg)
{
	if (!seg)
		return -EINVAL;
	return is_owner(seg) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static long set(int id, const void __user *buf)
{
	struct shm_segment *seg;
	struct shmid64_ds ds;
	u32 uid, gid;
	int err;

	if (copy_from_user(&ds, buf, sizeof(ds)))
		return -EFAULT;
	uid = make_kuid(current_user_ns(), ds.shm_perm.uid);
	gid = make_kgid(current_user_ns(), ds.shm_perm.gid);
	spin_lock(&shm_lock);
	seg = shm_find(id);
	err = check_owner(seg);
	if (!err && (uid == ID_NONE || gid == ID_NONE))
		err = -EINVAL;
	if (!err) {
		seg->uid = uid;
		seg->gid = gid;
		seg->mode = (seg->mode & ~(u32)SHM_MODE_MASK) | (ds.shm_perm.mode & SHM_MODE_MASK);
		seg->ctime = (s64)(realtime_ns() / NSEC_PER_SEC);
	}
	spin_unlock(&shm_lock);
	return err;
}

/* Nobody finds it by its key any more; the memory goes with the last that is attached. */
static long mark_removed(int id)
{
	struct shm_segment *seg;
	bool unused = false;
	int err;

	spin_lock(&shm_lock);
	seg = shm_find(id);
	err = check_owner(seg);
	if (!err) {
		seg->mode |= SHM_DEST;
		seg->key = IPC_PRIVATE;
		unused = !seg->nattch;
		if (unused)
			shm_unlink(seg);
	}
	spin_unlock(&shm_lock);
	if (unused)
		shm_free(seg);
	return err;
}

/* ---- SHM_LOCK, SHM_UNLOCK ---- */

/* 0, -EINVAL, -EPERM. shm_lock held. */
static int check_lock(const struct shm_segment *seg, bool lock)
{
	if (!seg)
		return -EINVAL;
	if (capable(CAP_IPC_LOCK))
		return 0;
	if (!is_owner(seg))
		return -EPERM;
	return lock && !READ_ONCE(current->process->rlimits[RLIMIT_MEMLOCK].rlim_cur) ? -EPERM : 0;
}

static long lock(int id)
{
	struct shm_segment *seg;
	int err;

	spin_lock(&shm_lock);
	seg = shm_find(id);
	err = check_lock(seg, true);
	if (!err && !(seg->mode & SHM_LOCKED)) {
		if (user_charge_locked(current->user, shm_pages(seg))) {
			seg->locked_by = current->user;
			seg->mode |= SHM_LOCKED;
			mapping_set_unevictable(&seg->file->inode->mapping, true);
		} else {
			err = -ENOMEM;
		}
	}
	spin_unlock(&shm_lock);
	return err;
}

static long unlock(int id)
{
	struct shm_segment *seg;
	struct file *f = NULL;
	int err;

	spin_lock(&shm_lock);
	seg = shm_find(id);
	err = check_lock(seg, false);
	if (!err && (seg->mode & SHM_LOCKED)) {
		seg->mode &= ~(u32)SHM_LOCKED;
		user_uncharge_locked(seg->locked_by, shm_pages(seg));
		seg->locked_by = NULL;
		f = seg->file;
		file_get(f);
		mapping_set_unevictable(&f->inode->mapping, false);
	}
	spin_unlock(&shm_lock);
	if (f) {
		mapping_rescue(&f->inode->mapping);
		file_put(f);
	}
	return err;
}

SYSCALL_DEFINE3(shmctl, int, id, int, cmd, void __user *, buf)
{
	if (cmd < 0 || id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		return limits(buf);
	case SHM_INFO:
		return usage(buf);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		return stat(id, cmd, buf);
	case IPC_SET:
		return set(id, buf);
	case IPC_RMID:
		return mark_removed(id);
	case SHM_LOCK:
		return lock(id);
	case SHM_UNLOCK:
		return unlock(id);
	default:
		return -EINVAL;
	}
}
