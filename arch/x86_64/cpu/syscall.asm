; SPDX-License-Identifier: MIT
;
; System calls. SYSCALL leaves the return address in RCX and RFLAGS in R11, and changes no stack.
;
; The whole trap frame is built, because fork, signals and rt_sigreturn want it. On the short way
; out the callee-saved registers are still in place, C having kept them, and RCX and R11 are what
; the frame got from SYSCALL itself: RCX is thus the address behind a SYSCALL instruction, below
; TASK_SIZE and canonical. Whoever changes the frame sets TASK_WORK_FULL_RESTORE and so takes the
; long way, which leaves by IRETQ.
%include "include/arch/asm.inc"

extern syscall_table, sys_ni_syscall, exit_to_user_work, restore_user, syscall_traced

section .text.entry progbits alloc exec nowrite align=64

global syscall_entry
syscall_entry:
	swapgs
	mov [gs:CPU_USER_RSP], rsp
	mov rsp, [gs:CPU_KSTACK_TOP]
	push USER_DS
	push qword [gs:CPU_USER_RSP]
	push r11
	push USER_CS
	push rcx
	push rax			; orig_rax
	push rdi
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	sti
	STATIC_BRANCH .traced, 0	; TRACE_SYSCALLS
	mov eax, eax			; Linux looks at the lower half alone
	cmp eax, 512			; NR_SYSCALLS
	jae .unknown
	mov rcx, r10
	lea r11, [syscall_table]
	call [r11 + rax * 8]
.done:
	mov [rsp + TF_RAX], rax
	cli
	mov rdx, [gs:CPU_CURRENT]
	mov ecx, [gs:CPU_NEED_RESCHED]
	or rcx, [rdx + TASK_WORK]
	jnz .work
	add rsp, TF_CALLEE_SAVED
	POP_CALLER_SAVED
	mov rsp, [rsp + TF_RSP - TF_ORIG_RAX]
	swapgs
	o64 sysret
.unknown:
	call sys_ni_syscall
	jmp .done
.traced:
	mov rdi, rsp
	call syscall_traced
	jmp .done
.work:
	mov rdi, rsp
	call exit_to_user_work
	jmp restore_user

; SYSCALL from compatibility mode. No 32-bit code segment exists, so nobody comes here; if someone
; did, there would be no such call.
global syscall_entry_compat
syscall_entry_compat:
	mov rax, -38			; -ENOSYS
	o32 sysret
