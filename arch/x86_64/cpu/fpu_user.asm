; SPDX-License-Identifier: MIT
;
; FPU registers to and from user memory. The callers have checked that the address is the user's.
; Each returns 0 or -EFAULT, also when the CPU refuses what it finds there (#GP).
%include "include/arch/asm.inc"

%define EFAULT 14

SMAP_SITES_BEGIN fpu_smap_sites

section .text

failed:
	USER_ACCESS_END
	mov eax, -EFAULT
	ret

; int xsave_user(void *buf)
global xsave_user
xsave_user:
	mov eax, -1
	mov edx, eax
	USER_ACCESS_BEGIN
.access:
	xsave64 [rdi]
	USER_ACCESS_END
	xor eax, eax
	ret
	EXTABLE .access, failed

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
