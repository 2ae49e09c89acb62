; SPDX-License-Identifier: MIT
;
; The first steps of every CPU but the boot CPU. A start-up IPI makes it run this code, copied to a
; page below 1 MiB, in real mode with CS = page number << 8 (SDM vol. 3A, 9.4.4). It goes straight to
; long mode with the kernel's tables, to which cpu/smp.c has added this one page at its physical
; address, and jumps to C. struct trampoline_args in cpu/smp.c fills the blanks at the end.
%include "include/arch/asm.inc"

section .rodata.trampoline progbits alloc noexec nowrite align=16
global trampoline_start
trampoline_start:
bits 16
	cli
	cld
	mov ax, cs
	mov ds, ax
	o32 lgdt [gdt_pointer - trampoline_start]
	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, [page_table - trampoline_start]
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, CR0_PG | CR0_WP | CR0_PE
	mov cr0, eax
	jmp far dword [far_pointer - trampoline_start]

bits 64
global trampoline_long_mode
trampoline_long_mode:
	mov ax, KERNEL_DS
	mov ds, ax
	mov es, ax
	mov ss, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	mov rsp, [ap_stack]
	mov rdi, [ap_cpu]
	xor ebp, ebp
	call [ap_entry]
	ud2

	align 8
global trampoline_gdt
trampoline_gdt:
	dq 0, 0
	dq 0x00af9b000000ffff		; KERNEL_CS
	dq 0x00cf93000000ffff		; KERNEL_DS
gdt_end:
	align 8
global trampoline_args
trampoline_args:
ap_stack: dq 0
ap_cpu: dq 0
ap_entry: dq 0
page_table:
	dd 0
far_pointer:
	dd 0
	dw KERNEL_CS
gdt_pointer:
	dw gdt_end - trampoline_gdt - 1
	dd 0
global trampoline_end
trampoline_end:
