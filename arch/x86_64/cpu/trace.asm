; SPDX-License-Identifier: MIT
;
; The call of trace_emit() from a trace point: static_branch_trace() has pushed the six arguments.
%include "include/arch/asm.inc"

extern trace_emit

%define SAVED 72 ; bytes of the registers that C may change

section .text

global trace_emit_saving
trace_emit_saving:
	push rax
	push rcx
	push rdx
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	mov rdi, [rsp + SAVED + 8]	; 8: the return address
	mov rsi, [rsp + SAVED + 16]
	mov rdx, [rsp + SAVED + 24]
	mov rcx, [rsp + SAVED + 32]
	mov r8, [rsp + SAVED + 40]
	mov r9, [rsp + SAVED + 48]
	call trace_emit
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rax
	ret
