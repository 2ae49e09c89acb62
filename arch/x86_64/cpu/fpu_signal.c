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
int xsave_user(void __user *buf, const struct fpu_sw_bytes *sw, size_t size);
int fxsave_user(void __user *buf);
int xrstor_user(const void __user *buf, u64 features);
int fxrstor_user(const void __user *buf);

#define USER_AT(buf, offset) ((void __user *)((unsigned long)(buf) + (offset)))

size_t fpu_frame_size(void)
{
	return fpu_format.size + (cpu_features.xsave ? sizeof(u32) : 0);
}

int fpu_save_user(void __user *buf)
{
	struct fpu_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = fpu_format.size + sizeof(u32),
		.features = fpu_format.features,
		.xstate_size = fpu_format.size,
	};

	if (!access_ok(buf, fpu_frame_size()) || !IS_ALIGNED((unsigned long)buf, 64))
		return -EFAULT;
	if (!cpu_features.xsave)
		return fxsave_user(buf);
	return xsave_user(buf, &sw, fpu_format.size);
}

/* The frame holds more than the legacy region, in the format of this CPU. */
static bool is_extended(const struct fpu_sw_bytes *sw, const void __user *buf)
{
	u32 magic2;

	if (sw->magic1 != FP_XSTATE_MAGIC1 || sw->xstate_size < sizeof(struct fpu_state) ||
	    sw->xstate_size > fpu_format.size || sw->extended_size < sw->xstate_size)
		return false;
	return !get_user_u32(&magic2, USER_AT(buf, sw->xstate_size)) && magic2 == FP_XSTATE_MAGIC2;
}

int fpu_restore_user(const void __user *buf)
{
	struct fpu_sw_bytes sw;
	u64 features;

	if (!buf) {
		fpu_load_initial(~0ULL);
		return 0;
	}
	if (!access_ok(buf, fpu_frame_size()) || !IS_ALIGNED((unsigned long)buf, 64))
		return -EFAULT;
	if (!cpu_features.xsave)
		return fxrstor_user(buf);
	if (copy_from_user(&sw, USER_AT(buf, offsetof(struct fpu_legacy, sw)), sizeof(sw)))
		return -EFAULT;
	if (!is_extended(&sw, buf)) {
		fpu_load_initial(~(XFEATURE_X87 | XFEATURE_SSE));
		return fxrstor_user(buf);
	}
	features = sw.features & fpu_format.features;
	if (features != fpu_format.features)
		fpu_load_initial(~features);
	return xrstor_user(buf, features);
}
