; SPDX-License-Identifier: MIT
;
; Changing stacks, and the first steps of new tasks.
%include "include/arch/asm.inc"

extern schedule_tail, user_return

section .text

; void switch_stacks(unsigned long *prev_rsp, unsigned long next_rsp)
; struct switch_frame in cpu/thread.c is what lies on a stack that is switched out.
global switch_stacks
switch_stacks:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [rdi], rsp
	mov rsp, rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

; A kernel thread: r12 is its function, r13 the argument.
global thread_start_kernel
thread_start_kernel:
	call schedule_tail
	sti
	mov rdi, r13
	call r12
	ud2

; The child of a fork: its trap frame lies above.
global thread_start_user
thread_start_user:
	call schedule_tail
	jmp user_return

; void arch_enter_user(void)
global arch_enter_user
arch_enter_user:
	cli
	mov rsp, [gs:CPU_KSTACK_TOP]
	sub rsp, TF_SIZE
	jmp user_return

; void arch_capture_registers(struct trap_frame *tf)
global arch_capture_registers
arch_capture_registers:
	mov [rdi + TF_R15], r15
	mov [rdi + TF_R14], r14
	mov [rdi + TF_R13], r13
	mov [rdi + TF_R12], r12
	mov [rdi + TF_RBP], rbp
	mov [rdi + TF_RBX], rbx
	mov [rdi + TF_R11], r11
	mov [rdi + TF_R10], r10
	mov [rdi + TF_R9], r9
	mov [rdi + TF_R8], r8
	mov [rdi + TF_RAX], rax
	mov [rdi + TF_RCX], rcx
	mov [rdi + TF_RDX], rdx
	mov [rdi + TF_RSI], rsi
	mov [rdi + TF_RDI], rdi
	mov qword [rdi + TF_ORIG_RAX], -1
	mov rax, [rsp]
	mov [rdi + TF_RIP], rax
	mov qword [rdi + TF_CS], KERNEL_CS
	pushfq
	pop qword [rdi + TF_RFLAGS]
	lea rax, [rsp + 8]
	mov [rdi + TF_RSP], rax
	mov qword [rdi + TF_SS], KERNEL_DS
	ret
