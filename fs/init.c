/* SPDX-License-Identifier: MIT
 *
 * The caches of the VFS, before the first filesystem.
 */
#include <fs/internal.h>

void vfs_init(void)
{
	inode_init();
	nsfs_init();
	secretmem_init();
	dentry_init();
	file_init();
}
