; SPDX-License-Identifier: MIT
;
; Access to user memory, as include/arch/uaccess.h promises. Addresses are checked here; a fault
; that the ordinary handler cannot help arrives at the label that EXTABLE names, with the registers
; as they were at the faulting instruction: that is how the exact number of bytes left is known.
;
; Bulk goes by quadwords (REP MOVSQ), the tail by bytes. A quadword that straddles the end of what
; is mapped is done again byte by byte, so nothing in front of the fault is lost.
%include "include/arch/asm.inc"

%define EFAULT 14
%define PAGE_SIZE 4096

SMAP_SITES_BEGIN uaccess_smap_sites

section .text

; Jumps to %3 unless [%1, %1 + %2) lies below TASK_SIZE. Uses rax.
%macro CHECK_RANGE 3
	mov rax, TASK_SIZE
	sub rax, %2
	jb %3
	cmp %1, rax
	ja %3
%endmacro
; The same for a constant size.
%macro CHECK_WORD 3
	mov rax, TASK_SIZE - %2
	cmp %1, rax
	ja %3
%endmacro

; size_t copy_to_user(void *dst, const void *src, size_t n)
global copy_to_user
copy_to_user:
	CHECK_RANGE rdi, rdx, copy_nothing
	jmp copy

; size_t copy_from_user(void *dst, const void *src, size_t n)
global copy_from_user
copy_from_user:
	CHECK_RANGE rsi, rdx, copy_nothing
copy:
	mov rcx, rdx
	shr rcx, 3
	and edx, 7
	USER_ACCESS_BEGIN
.quads:
	rep movsq
	mov ecx, edx
.bytes:
	rep movsb
.bytes_failed:
	USER_ACCESS_END
	mov rax, rcx
	ret
.quads_failed:
	lea rcx, [rcx * 8 + rdx]
	jmp .bytes
	EXTABLE .quads, .quads_failed
	EXTABLE .bytes, .bytes_failed

copy_nothing:
	mov rax, rdx
	ret

; size_t clear_user(void *dst, size_t n)
global clear_user
clear_user:
	CHECK_RANGE rdi, rsi, .nothing
	mov rcx, rsi
	shr rcx, 3
	and esi, 7
	xor eax, eax
	USER_ACCESS_BEGIN
.quads:
	rep stosq
	mov ecx, esi
.bytes:
	rep stosb
.bytes_failed:
	USER_ACCESS_END
	mov rax, rcx
	ret
.quads_failed:
	lea rcx, [rcx * 8 + rsi]
	jmp .bytes
.nothing:
	mov rax, rsi
	ret
	EXTABLE .quads, .quads_failed
	EXTABLE .bytes, .bytes_failed

; ssize_t strncpy_from_user(char *dst, const char *src, size_t size) Eight bytes at a time while
; they lie in one page and in dst; of the eight that contain the 0, and near the edges, one by one.
; rcx counts what is done, rdx is the most that may be.
global strncpy_from_user
strncpy_from_user:
	xor ecx, ecx
	mov r11, rdx			; the caller's size
	mov rax, TASK_SIZE
	sub rax, rsi
	jbe .fault
	cmp rdx, rax
	cmova rdx, rax
	mov r8, 0x0101010101010101
	mov r9, 0x8080808080808080
	USER_ACCESS_BEGIN
.next:
	lea rax, [rcx + 8]
	cmp rax, rdx
	ja .byte
	lea eax, [rsi + rcx]
	and eax, PAGE_SIZE - 1
	cmp eax, PAGE_SIZE - 8
	ja .byte
.quad:
	mov rax, [rsi + rcx]
	mov r10, rax
	mov [rdi + rcx], rax
	sub rax, r8
	not r10
	and r10, r9
	and rax, r10			; 0x80 in the first byte that is 0
	jnz .end_in_quad
	add rcx, 8
	jmp .next
.end_in_quad:
	bsf rax, rax
	shr eax, 3
	add rcx, rax
	jmp .done
.byte:
	cmp rcx, rdx
	jae .full
.load:
	mov al, [rsi + rcx]
	mov [rdi + rcx], al
	test al, al
	jz .done
	inc rcx
	jmp .next
.full:
	cmp rdx, r11			; ended by TASK_SIZE, not by the caller's size
	jne .failed
.done:
	USER_ACCESS_END
	mov rax, rcx
	ret
.failed:
	USER_ACCESS_END
.fault:
	mov rax, -EFAULT
	ret
	EXTABLE .quad, .failed
	EXTABLE .load, .failed

; void user_access_begin(void), void user_access_end(void)
global user_access_begin
user_access_begin:
	USER_ACCESS_BEGIN
	ret
global user_access_end
user_access_end:
	USER_ACCESS_END
	ret

word_failed:
	USER_ACCESS_END
bad_word:
	mov eax, -EFAULT
	ret

; int get_user_u32(u32 *val, const void *src)
global get_user_u32
get_user_u32:
	CHECK_WORD rsi, 4, bad_word
	USER_ACCESS_BEGIN
.access:
	mov eax, [rsi]
	USER_ACCESS_END
	mov [rdi], eax
	xor eax, eax
	ret
	EXTABLE .access, word_failed

; int get_user_u64(u64 *val, const void *src)
global get_user_u64
get_user_u64:
	CHECK_WORD rsi, 8, bad_word
	USER_ACCESS_BEGIN
.access:
	mov rax, [rsi]
	USER_ACCESS_END
	mov [rdi], rax
	xor eax, eax
	ret
	EXTABLE .access, word_failed

; int put_user_u32(u32 val, void *dst)
global put_user_u32
put_user_u32:
	CHECK_WORD rsi, 4, bad_word
	USER_ACCESS_BEGIN
.access:
	mov [rsi], edi
	USER_ACCESS_END
	xor eax, eax
	ret
	EXTABLE .access, word_failed

; int put_user_u64(u64 val, void *dst)
global put_user_u64
put_user_u64:
	CHECK_WORD rsi, 8, bad_word
	USER_ACCESS_BEGIN
.access:
	mov [rsi], rdi
	USER_ACCESS_END
	xor eax, eax
	ret
	EXTABLE .access, word_failed

; int cmpxchg_user_u32(u32 *p, u32 *old, u32 val)
global cmpxchg_user_u32
cmpxchg_user_u32:
	CHECK_WORD rdi, 4, bad_word
	mov eax, [rsi]
	USER_ACCESS_BEGIN
.access:
	lock cmpxchg [rdi], edx
	USER_ACCESS_END
	mov [rsi], eax
	xor eax, eax
	ret
	EXTABLE .access, word_failed

SMAP_SITES_END uaccess_smap_sites_end
