/* SPDX-License-Identifier: MIT
 *
 * memfd_secret(): a file that can only be mapped, and whose pages stay in memory and out of everybody's reach but the
 * mappings': no read(), no populate, no /proc/PID/mem. mm/ knows it by MAPPING_SECRET.
 *
 * Linux also takes the pages out of the kernel's own map of memory. Here they stay in it.
 */
#include <fs/internal.h>
#include <kern/knobs.h>
#include <kernel/syscall.h>

static u64 secret_dev;

/* The size is set once: pages that are in use may not go. */
static int secret_may_resize(const struct inode *i, u64 size __maybe_unused)
{
	return i->mapping.size ? -EINVAL : 0;
}

static s64 secret_llseek(struct file *f __maybe_unused, s64 off __maybe_unused,
			 int whence __maybe_unused)
{
	return -ESPIPE;
}

static const struct inode_ops secret_iops = { .may_resize = secret_may_resize };
static const struct file_ops secret_fops = { .llseek = secret_llseek };

static struct file *secret_file(void)
{
	struct inode *i = inode_alloc(S_IFREG | 0600, &secret_iops, &secret_fops);
	struct file *f;

	if (!i)
		return ERR_PTR(-ENOMEM);
	i->dev = secret_dev;
	mapping_init(&i->mapping, MAPPING_SECRET | MAPPING_UNEVICTABLE, NULL, i);
	i->has_mapping = true;
	f = file_alloc_anon(i, "secretmem", O_RDWR | O_LARGEFILE);
	if (!IS_ERR(f)) {
		f->dentry->unlinked = true; /* shown as "/secretmem (deleted)" */
		f->mode = (f->mode & ~FMODE_POS) | FMODE_STREAM;
	}
	return f;
}

SYSCALL_DEFINE1(memfd_secret, unsigned int, flags)
{
	struct file *f;
	int fd;

	if (!knob_secretmem_enable)
		return -ENOSYS;
	if (flags & ~(unsigned int)O_CLOEXEC)
		return -EINVAL;
	f = secret_file();
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(f, 0, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

void secretmem_init(void)
{
	secret_dev = new_anon_dev();
}
