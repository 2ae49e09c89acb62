// SPDX-License-Identifier: MIT
/*
 * FPU state in signal frames, in Linux's layout: the save area as the CPU writes it, a description
 * in the legacy region's software bytes, a second magic behind it. The registers go straight to and
 * from user memory. Whatever a program put there, the worst outcome is -EFAULT: the instruction
 * that loads it is in the exception table, for #GP too.
 */
#include <arch/cpufeature.h>
#include <arch/fpu.h>
#include <arch/uaccess.h>
#include <kern/string.h>
#include "fpu_format.h"

/* cpu/fpu_user.asm: 0 or -EFAULT. */
int xsave_user(void __user *buf);
int fxsave_user(void __user *buf);
int xrstor_user(const void __user *buf, u64 features);
int fxrstor_user(const void __user *buf);

size_t fpu_frame_size(void)
{
	return fpu_format.size + (cpu_features.xsave ? sizeof(u32) : 0);
}

/*
 * What XSAVE leaves alone: the header, of which it writes the first word only while the others must
 * be 0 when it is loaded again, and the description. 0 or -EFAULT.
 */
static int write_format(struct fpu_state __user *buf)
{
	u64 __user *header = &buf->xstate_bv;
	struct fpu_sw_bytes __user *sw = &buf->legacy.sw;
	u32 size = fpu_format.size;

	user_access_begin();
	user_zero8(header, fault);
	user_write(FP_XSTATE_MAGIC1, &sw->magic1, fault);
	user_write(size + sizeof(u32), &sw->extended_size, fault);
	user_write(fpu_format.features, &sw->features, fault);
	user_write(size, &sw->xstate_size, fault);
	user_write(0, &sw->padding, fault);
	user_write(0, &sw->reserved[0], fault);
	user_write(0, &sw->reserved[1], fault);
	user_write(0, &sw->reserved[2], fault);
	user_write(FP_XSTATE_MAGIC2, (u32 __user *)((unsigned long)buf + size), fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

int fpu_save_user(void __user *buf)
{
	if (!access_ok(buf, fpu_frame_size()) || !IS_ALIGNED((unsigned long)buf, 64))
		return -EFAULT;
	if (!cpu_features.xsave)
		return fxsave_user(buf);
	return write_format(buf) ? -EFAULT : xsave_user(buf);
}

/*
 * Whether the frame holds more than the legacy region, in the format of this CPU, and what. The
 * address is known to be the user's. 0 or -EFAULT.
 */
static int read_format(const struct fpu_legacy __user *buf, bool *extended, u64 *features)
{
	const struct fpu_sw_bytes __user *sw = &buf->sw;
	u32 magic, size, total, end;

	*extended = false;
	user_access_begin();
	user_read(magic, &sw->magic1, fault);
	user_read(size, &sw->xstate_size, fault);
	user_read(total, &sw->extended_size, fault);
	user_read(*features, &sw->features, fault);
	if (magic == FP_XSTATE_MAGIC1 && size >= sizeof(struct fpu_state) &&
	    size <= fpu_format.size && total >= size) {
		user_read(end, (const u32 __user *)((unsigned long)buf + size), no_end);
		*extended = end == FP_XSTATE_MAGIC2;
	}
no_end:
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

int fpu_restore_user(const void __user *buf)
{
	bool extended;
	u64 features;

	if (!buf) {
		fpu_load_initial(~0ULL);
		return 0;
	}
	if (!access_ok(buf, fpu_frame_size()) || !IS_ALIGNED((unsigned long)buf, 64))
		return -EFAULT;
	if (!cpu_features.xsave)
		return fxrstor_user(buf);
	if (read_format(buf, &extended, &features))
		return -EFAULT;
	if (!extended) {
		fpu_load_initial(~(XFEATURE_X87 | XFEATURE_SSE));
		return fxrstor_user(buf);
	}
	features &= fpu_format.features;
	if (features != fpu_format.features)
		fpu_load_initial(~features);
	return xrstor_user(buf, features);
}
