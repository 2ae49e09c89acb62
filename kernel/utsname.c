/* SPDX-License-Identifier: MIT
 *
 * uname(), sethostname(), setdomainname(). Programs look at the release to know what they may ask
 * for, so it is that of the Linux whose calls these are.
 */
#include <arch/uaccess.h>
#include <kern/string.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <kernel/utsname.h>

spinlock_t utsname_lock = SPINLOCK_INIT;
struct new_utsname system_utsname = {
	.sysname = "Linux",
	.nodename = "faultline",
	.release = "6.1.0-faultline",
	.version = "#1 SMP Faultline",
	.machine = "x86_64",
	.domainname = "(none)",
};

SYSCALL_DEFINE1(uname, struct new_utsname __user *, uname)
{
	struct new_utsname copy;

	spin_lock(&utsname_lock);
	copy = system_utsname;
	spin_unlock(&utsname_lock);
	return copy_to_user(uname, &copy, sizeof(copy)) ? -EFAULT : 0;
}

static int set_name(char *name, const char __user *uname, int len)
{
	char copy[__NEW_UTS_LEN + 1] = "";

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > __NEW_UTS_LEN)
		return -EINVAL;
	if (copy_from_user(copy, uname, (size_t)len))
		return -EFAULT;
	spin_lock(&utsname_lock);
	memcpy(name, copy, sizeof(copy));
	spin_unlock(&utsname_lock);
	return 0;
}

SYSCALL_DEFINE2(sethostname, const char __user *, name, int, len)
{
	return set_name(system_utsname.nodename, name, len);
}

SYSCALL_DEFINE2(setdomainname, const char __user *, name, int, len)
{
	return set_name(system_utsname.domainname, name, len);
}
