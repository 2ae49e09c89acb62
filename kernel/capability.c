/* SPDX-License-Identifier: MIT
 *
 * Capabilities (capabilities(7)): the rule that says who has one where, capget() and capset().
 */
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kernel/cred.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>

bool cred_capable(const struct cred *c, const struct user_namespace *ns, int cap)
{
	for (;; ns = ns->parent) {
		if (ns == c->user_ns)
			return c->cap_effective >> cap & 1;
		if (ns->level <= c->user_ns->level)
			return false;
		if (ns->parent == c->user_ns && ns->owner == c->euid)
			return true;
	}
}

bool ns_capable(const struct user_namespace *ns, int cap)
{
	return cred_capable(&current->cred, ns, cap);
}

bool capable(int cap)
{
	return current_user_ns() == &init_user_ns && capable_here(cap);
}

/* ---- capget(), capset() ---- */

/* Reads the header. *words: how many 32-bit data blocks this version has. 0, -EFAULT, -EINVAL. */
static int read_cap_header(struct cap_user_header __user *uheader, struct cap_user_header *h,
			   unsigned int *words)
{
	if (copy_from_user(h, uheader, sizeof(*h)))
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*words = 1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*words = 2;
		return 0;
	}
	if (put_user_u32(_LINUX_CAPABILITY_VERSION_3, &uheader->version))
		return -EFAULT;
	return -EINVAL;
}

SYSCALL_DEFINE2(capget, struct cap_user_header __user *, uheader, struct cap_user_data __user *,
		udata)
{
	struct cap_user_header h;
	struct cap_user_data data[2];
	struct cred c;
	unsigned int words, i;
	struct task *t;
	int err = read_cap_header(uheader, &h, &words);

	/* Asking which version there is, is no error. */
	if (!udata && err != -EFAULT)
		return 0;
	if (err)
		return err;
	if (h.pid < 0)
		return -EINVAL;
	spin_lock(&tasklist_lock);
	t = h.pid ? task_find(h.pid) : current;
	if (t)
		c = t->cred;
	spin_unlock(&tasklist_lock);
	if (!t)
		return -ESRCH;
	for (i = 0; i < 2; i++)
		data[i] = (struct cap_user_data){ (u32)(c.cap_effective >> (32 * i)),
						  (u32)(c.cap_permitted >> (32 * i)),
						  (u32)(c.cap_inheritable >> (32 * i)) };
	return copy_to_user(udata, data, words * sizeof(data[0])) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(capset, struct cap_user_header __user *, uheader,
		const struct cap_user_data __user *, udata)
{
	struct cap_user_data data[2] = { 0 };
	struct cred new = current->cred;
	struct cap_user_header h;
	unsigned int words;
	u64 eff, perm, inh;
	int err = read_cap_header(uheader, &h, &words);

	if (err)
		return err;
	if (h.pid && h.pid != current->tid)
		return -EPERM;
	if (copy_from_user(data, udata, words * sizeof(data[0])))
		return -EFAULT;
	eff = (data[0].effective | (u64)data[1].effective << 32) & CAP_FULL_SET;
	perm = (data[0].permitted | (u64)data[1].permitted << 32) & CAP_FULL_SET;
	inh = (data[0].inheritable | (u64)data[1].inheritable << 32) & CAP_FULL_SET;

	if (!capable_here(CAP_SETPCAP) && (inh & ~(new.cap_inheritable | new.cap_permitted)))
		return -EPERM;
	if (inh & ~(new.cap_inheritable | new.cap_bounding))
		return -EPERM;
	if ((perm & ~new.cap_permitted) || (eff & ~perm))
		return -EPERM;
	new.cap_effective = eff;
	new.cap_permitted = perm;
	new.cap_inheritable = inh;
	new.cap_ambient &= perm &inh;
	return commit_creds(&new);
}
