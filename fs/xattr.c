/* SPDX-License-Identifier: MIT
 *
 * Extended attributes: no filesystem here has any. The calls check that the file exists and then
 * answer as Linux does on such a filesystem.
 */
#include <fs/internal.h>
#include <kernel/syscall.h>

static long answer_path(const char __user *path, int flags, long answer)
{
	struct dentry *d = user_path_at(AT_FDCWD, path, flags, AT_SYMLINK_NOFOLLOW);

	if (IS_ERR(d))
		return PTR_ERR(d);
	dentry_put(d);
	return answer;
}

static long answer_fd(int fd, long answer)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return answer;
}

#define PATH_CALL(name, flags, answer)                                                             \
	SYSCALL_DEFINE1(name, const char __user *, path)                                           \
	{                                                                                          \
		return answer_path(path, flags, answer);                                           \
	}
#define FD_CALL(name, answer)                                                                      \
	SYSCALL_DEFINE1(name, int, fd)                                                             \
	{                                                                                          \
		return answer_fd(fd, answer);                                                      \
	}

PATH_CALL(setxattr, 0, -EOPNOTSUPP)
PATH_CALL(lsetxattr, AT_SYMLINK_NOFOLLOW, -EOPNOTSUPP)
FD_CALL(fsetxattr, -EOPNOTSUPP)
PATH_CALL(getxattr, 0, -EOPNOTSUPP)
PATH_CALL(lgetxattr, AT_SYMLINK_NOFOLLOW, -EOPNOTSUPP)
FD_CALL(fgetxattr, -EOPNOTSUPP)
PATH_CALL(listxattr, 0, 0)
PATH_CALL(llistxattr, AT_SYMLINK_NOFOLLOW, 0)
FD_CALL(flistxattr, 0)
PATH_CALL(removexattr, 0, -EOPNOTSUPP)
PATH_CALL(lremovexattr, AT_SYMLINK_NOFOLLOW, -EOPNOTSUPP)
FD_CALL(fremovexattr, -EOPNOTSUPP)
