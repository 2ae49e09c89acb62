; SPDX-License-Identifier: MIT
;
; FPU registers to and from user memory. The callers have checked that the address is the user's.
; Each returns 0 or -EFAULT, also when the CPU refuses what it finds there (#GP).
%include "include/arch/asm.inc"

%define EFAULT 14
%define XSAVE_HEADER 512
%define SW_BYTES 464		; fpu_format.h
%define FP_XSTATE_MAGIC2 0x46505845

SMAP_SITES_BEGIN fpu_smap_sites

section .text

failed:
	USER_ACCESS_END
	mov eax, -EFAULT
	ret

; int xsave_user(void *buf, const struct fpu_sw_bytes *sw, size_t size) A whole frame: XSAVE writes
; the header's first word alone, and the others must be 0 when it is loaded again.
global xsave_user
xsave_user:
	mov r8, rdi
	mov r9, rdx
	add rdi, XSAVE_HEADER
	mov ecx, 64 / 8
	xor eax, eax
	USER_ACCESS_BEGIN
.clear:
	rep stosq
	mov eax, -1
	mov edx, eax
.save:
	xsave64 [r8]
	lea rdi, [r8 + SW_BYTES]
	mov ecx, 48 / 8
.describe:
	rep movsq
.end:
	mov dword [r8 + r9], FP_XSTATE_MAGIC2
	USER_ACCESS_END
	xor eax, eax
	ret
	EXTABLE .clear, failed
	EXTABLE .save, failed
	EXTABLE .describe, failed
	EXTABLE .end, failed

; int xrstor_user(const void *buf, u64 features)
global xrstor_user
xrstor_user:
	mov eax, esi
	mov rdx, rsi
	shr rdx, 32
	USER_ACCESS_BEGIN
.access:
	xrstor64 [rdi]
	USER_ACCESS_END
	xor eax, eax
	ret
	EXTABLE .access, failed

; int fxsave_user(void *buf)
global fxsave_user
fxsave_user:
	USER_ACCESS_BEGIN
.access:
	fxsave64 [rdi]
	USER_ACCESS_END
	xor eax, eax
	ret
	EXTABLE .access, failed

; int fxrstor_user(const void *buf)
global fxrstor_user
fxrstor_user:
	USER_ACCESS_BEGIN
.access:
	fxrstor64 [rdi]
	USER_ACCESS_END
	xor eax, eax
	ret
	EXTABLE .access, failed

SMAP_SITES_END fpu_smap_sites_end
