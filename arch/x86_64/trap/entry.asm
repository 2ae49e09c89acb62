; SPDX-License-Identifier: MIT
;
; Exceptions and interrupts, from the CPU to C and back.
;
; Each stub brings the frame to the same shape (an error code or -1), saves rdi and leaves the
; vector in it. Three ways follow: page faults, the hot path, have their own; NMI, debug, double
; fault and machine check may hit where GS is still the user's, so they set GS from their own stack;
; all others go through trap_common. Stacks are 8-byte aligned at calls into C, which uses nothing
; that needs more.
%include "include/arch/asm.inc"

%define MSR_GS_BASE 0xc0000101
%define MSR_KERNEL_GS_BASE 0xc0000102

extern trap_dispatch, page_fault_user, page_fault_kernel, exit_to_user_work

SMAP_SITES_BEGIN entry_smap_sites

%macro POP_ALL 0
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	POP_CALLER_SAVED
%endmacro
%macro STORE_CALLEE_SAVED 0
	mov [rsp + TF_R15], r15
	mov [rsp + TF_R14], r14
	mov [rsp + TF_R13], r13
	mov [rsp + TF_R12], r12
	mov [rsp + TF_RBP], rbp
	mov [rsp + TF_RBX], rbx
%endmacro
; ZF clear when something is to be done before the task may go on in user mode. Interrupts are off.
%macro TEST_WORK 0
	mov rax, [gs:CPU_CURRENT]
	mov ecx, [gs:CPU_NEED_RESCHED]
	or rcx, [rax + TASK_WORK]
%endmacro

section .text.entry progbits alloc exec nowrite align=64

; Page faults. The callee-saved part of the frame is only filled when someone will look at it.
global page_fault_entry
page_fault_entry:
	push rdi
	PUSH_CALLER_SAVED
	sub rsp, TF_CALLEE_SAVED
	USER_ACCESS_END
	cld
	mov rdi, rsp
	test byte [rsp + TF_CS], 3
	jz .kernel
	swapgs
	call page_fault_user
	cli
	TEST_WORK
	jnz .work
	add rsp, TF_CALLEE_SAVED
	POP_CALLER_SAVED
	swapgs
	add rsp, 8
	iretq
.work:
	STORE_CALLEE_SAVED
	jmp trap_work
.kernel:
	STORE_CALLEE_SAVED
	call page_fault_kernel
	jmp restore_kernel

align 16
trap_common:
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	USER_ACCESS_END
	cld
	mov rsi, rsp
	test byte [rsp + TF_CS], 3
	jz trap_from_kernel
	swapgs
	call trap_dispatch
global user_return
user_return:
	cli
	TEST_WORK
	jnz trap_work
global restore_user
restore_user:
	POP_ALL
	swapgs
	add rsp, 8
	iretq
trap_from_kernel:
	call trap_dispatch
restore_kernel:
	POP_ALL
	add rsp, 8
	iretq

; No system call to restart: what lies there is an error code.
trap_work:
	mov qword [rsp + TF_ORIG_RAX], -1
	mov rdi, rsp
	call exit_to_user_work
	jmp restore_user

; On an IST stack; struct cpu's address lies above the frame (cpu/gdt.c). The GS base found is kept
; in rbx.
align 16
trap_paranoid:
	PUSH_CALLER_SAVED
	PUSH_CALLEE_SAVED
	USER_ACCESS_END
	cld
	mov r12d, edi
	mov ecx, MSR_GS_BASE
	rdmsr
	shl rdx, 32
	lea rbx, [rdx + rax]
	mov rax, [rsp + TF_SIZE]
	mov rdx, rax
	shr rdx, 32
	wrmsr
	test byte [rsp + TF_CS], 3
	jnz .user
	mov rsi, rsp
	call trap_dispatch
	mov ecx, MSR_GS_BASE
	mov rax, rbx
	mov rdx, rbx
	shr rdx, 32
	wrmsr
	jmp restore_kernel
; From user mode it is an ordinary trap: to the task's own stack, where it may sleep.
.user:
	mov ecx, MSR_KERNEL_GS_BASE
	mov rax, rbx
	mov rdx, rbx
	shr rdx, 32
	wrmsr
	mov rsi, rsp
	mov rdi, [gs:CPU_KSTACK_TOP]
	sub rdi, TF_SIZE
	mov rsp, rdi
	mov ecx, TF_SIZE / 8
	rep movsq
	mov edi, r12d
	mov rsi, rsp
	call trap_dispatch
	jmp user_return

%macro STUB 3			; vector, the CPU pushes an error code, where to go on
	align 16
%if !%2
	push -1
%endif
	push rdi
	mov edi, %1
	jmp %3
%endmacro

; One stub every 16 bytes, by vector. That of the page fault is never used.
global trap_stubs
	align 16
trap_stubs:
%assign vector 0
%rep 256
  %if vector == 1 || vector == 2
	STUB vector, 0, trap_paranoid
  %elif vector == 8
	STUB vector, 1, trap_paranoid
  %elif vector == 18
	STUB vector, 0, trap_paranoid
  %elif vector >= 10 && vector <= 14
	STUB vector, 1, trap_common
  %elif vector == 17 || vector == 21 || vector == 29 || vector == 30
	STUB vector, 1, trap_common
  %else
	STUB vector, 0, trap_common
  %endif
  %assign vector vector + 1
%endrep
	align 16

SMAP_SITES_END entry_smap_sites_end
