/* SPDX-License-Identifier: MIT
 *
 * The save area in memory, in the standard (not compacted) format, which is also the one of a
 * signal frame.
 */
#ifndef CPU_FPU_FORMAT_H
#define CPU_FPU_FORMAT_H

#include <kern/types.h>

#define XFEATURE_X87 (1UL << 0)
#define XFEATURE_SSE (1UL << 1)
#define XFEATURE_AVX (1UL << 2)
#define XFEATURE_OPMASK (1UL << 5)
#define XFEATURE_ZMM_HI256 (1UL << 6)
#define XFEATURE_HI16_ZMM (1UL << 7)

/*
 * In a signal frame the last 48 bytes of the legacy region, which no instruction writes, describe
 * the rest.
 */
#define FP_XSTATE_MAGIC1 0x46505853u
#define FP_XSTATE_MAGIC2 0x46505845u

struct fpu_sw_bytes {
	u32 magic1;
	u32 extended_size; /* of everything, the final magic included */
	u64 features;
	u32 xstate_size;
	u32 padding;
	u64 reserved[3];
};

/* SDM vol. 1, table 10-2 (FXSAVE with REX.W). */
struct fpu_legacy {
	u16 fcw, fsw;
	u8 ftw, reserved0;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[128], xmm[256], reserved1[48];
	struct fpu_sw_bytes sw;
};

/* The part that every XSAVE area has: SDM vol. 1, 13.4. */
struct fpu_state {
	union {
		struct fpu_legacy legacy;
		struct {
			u16 fcw;
			u16 pad[11];
			u32 mxcsr;
		};
	};
	u64 xstate_bv, xcomp_bv, reserved[6];
};

_Static_assert(sizeof(struct fpu_sw_bytes) == 48, "sw_reserved is 48 bytes");
_Static_assert(sizeof(struct fpu_legacy) == 512, "FXSAVE area is 512 bytes");
_Static_assert(sizeof(struct fpu_state) == 576, "the XSAVE header ends at 576");
_Static_assert(offsetof(struct fpu_state, mxcsr) == 24, "MXCSR lies at 24");

struct fpu_format {
	u64 features; /* XCR0; 0 without XSAVE */
	u32 size;     /* bytes of a save area */
};

extern struct fpu_format fpu_format; /* [I] after fpu_init() */

/* These components become initial. */
void fpu_load_initial(u64 features);

#endif
