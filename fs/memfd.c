/* SPDX-License-Identifier: MIT
 *
 * Memory that is a file without a name in the tree: memfd_create() with its seals, and what backs
 * MAP_SHARED | MAP_ANONYMOUS.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <kernel/syscall.h>

#define MEMFD_PREFIX "memfd:"
#define MEMFD_NAME_MAX (NAME_MAX - (sizeof(MEMFD_PREFIX) - 1))

struct file *shmem_file_setup(const char *name, u64 size)
{
	struct inode *i = shmem_inode(size);
	struct file *f;

	if (!i)
		return ERR_PTR(-ENOMEM);
	f = file_alloc_anon(i, name, O_RDWR | O_LARGEFILE);
	if (!IS_ERR(f))
		f->dentry->unlinked = true; /* shown as "/name (deleted)" */
	return f;
}

static int install_memfd(const char *name, unsigned int flags)
{
	struct file *f = shmem_file_setup(name, 0);
	int fd;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	if (flags & MFD_ALLOW_SEALING)
		f->inode->seals = 0;
	if (flags & MFD_NOEXEC_SEAL) {
		f->inode->mode &= ~(u32)S_IXUGO;
		f->inode->seals = F_SEAL_EXEC;
	}
	if (!(f->inode->seals & F_SEAL_SEAL))
		f->inode->mapping.flags |= MAPPING_SEALABLE;
	fd = fd_install(f, 0, flags & MFD_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE2(memfd_create, const char __user *, uname, unsigned int, flags)
{
	char name[NAME_MAX + 1] = MEMFD_PREFIX;
	const size_t prefix = sizeof(MEMFD_PREFIX) - 1;
	ssize_t n;

	/* As a Linux without hugetlbfs. */
	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC))
		return flags & MFD_HUGETLB ? -ENOSYS : -EINVAL;
	if ((flags & MFD_EXEC) && (flags & MFD_NOEXEC_SEAL))
		return -EINVAL;
	n = strncpy_from_user(name + prefix, uname, MEMFD_NAME_MAX + 1);
	if (n < 0)
		return n;
	if ((size_t)n > MEMFD_NAME_MAX)
		return -EINVAL;
	return install_memfd(name, flags);
}

/* ---- seals ---- */

#define ALL_SEALS                                                                                  \
	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE |          \
	 F_SEAL_EXEC)

static int add_seals(struct file *f, unsigned int seals)
{
	struct inode *i = f->inode;
	struct mapping *m = &i->mapping;
	int err = 0;

	if (!(f->mode & FMODE_WRITE))
		return -EPERM;
	if (seals & ~ALL_SEALS)
		return -EINVAL;
	mutex_lock(&i->lock);
	down_write(&m->i_mmap_lock);
	if (i->seals & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & F_SEAL_WRITE) && !(i->seals & F_SEAL_WRITE) && m->nr_writable)
		err = -EBUSY;
	if (!err) {
		/* An executable file must not change once its mode is sealed. */
		if ((seals & F_SEAL_EXEC) && (i->mode & S_IXUGO))
			seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
		i->seals |= seals;
		if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			m->seal_write = true;
	}
	up_write(&m->i_mmap_lock);
	mutex_unlock(&i->lock);
	return err;
}

long seals_fcntl(struct file *f, unsigned int cmd, unsigned long arg)
{
	if (!f->inode->shm)
		return -EINVAL;
	if (cmd == F_GET_SEALS)
		return f->inode->seals;
	return arg > ~0U ? -EINVAL : add_seals(f, (unsigned int)arg);
}
