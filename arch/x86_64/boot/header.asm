; SPDX-License-Identifier: MIT
;
; From the loader to C. GRUB finds the multiboot2 header, QEMU -kernel the PVH note; both enter in
; 32-bit protected mode without paging, with a pointer to their information in EBX. The tables made
; here map the first 4 GiB three times: where they are, in the direct map, and (1 GiB of it) at
; KERNEL_BASE.
;
; Multiboot2 specification 2.0; Xen's PVH boot ABI (docs/misc/pvh.pandoc, start_info.h).
%include "include/arch/asm.inc"

%define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
%define XEN_ELFNOTE_PHYS32_ENTRY 18

%define DIRECT_MAP_SLOT 273	; of DIRECT_MAP_BASE in the top table
%define KERNEL_SLOT 510		; of KERNEL_BASE in the table below the last slot
%define ENTRY_TABLE 0x3		; present, writable
%define ENTRY_LARGE 0x83	; and a 2 MiB page

extern boot_main

section .multiboot2 progbits alloc noexec nowrite align=8
multiboot2_header:
	dd MULTIBOOT2_HEADER_MAGIC
	dd 0				; i386
	dd multiboot2_header_end - multiboot2_header
	dd 0x100000000 - (MULTIBOOT2_HEADER_MAGIC + (multiboot2_header_end - multiboot2_header))
	dw 6, 0				; modules page-aligned
	dd 8
	dw 0, 0				; end
	dd 8
multiboot2_header_end:

section .note.Xen note alloc noexec nowrite align=4
	dd 4, 8, XEN_ELFNOTE_PHYS32_ENTRY
	db "Xen", 0
	dq pvh_start

section .boot.text progbits alloc exec nowrite align=16
bits 32
pvh_start:
	xor eax, eax			; anything but multiboot2's magic
global _start
_start:
	cli
	cld
	mov esp, boot_stack32_top
	mov ebp, eax
	mov edi, ebx

	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	jb .no_long_mode
	mov eax, 0x80000001
	cpuid
	bt edx, 29
	jnc .no_long_mode

	mov dword [boot_pml4], boot_pdpt + ENTRY_TABLE
	mov dword [boot_pml4 + DIRECT_MAP_SLOT * 8], boot_pdpt + ENTRY_TABLE
	mov dword [boot_pml4 + 511 * 8], boot_pdpt_kernel + ENTRY_TABLE
	mov dword [boot_pdpt_kernel + KERNEL_SLOT * 8], boot_pd + ENTRY_TABLE
	mov eax, boot_pd + ENTRY_TABLE
	xor ecx, ecx
.table:
	mov [boot_pdpt + ecx * 8], eax
	add eax, 4096
	inc ecx
	cmp ecx, 4
	jb .table
	mov eax, ENTRY_LARGE
	xor ecx, ecx
.page:
	mov [boot_pd + ecx * 8], eax
	add eax, 1 << 21
	inc ecx
	cmp ecx, 4 * 512
	jb .page

	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, boot_pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	mov eax, CR0_PG | CR0_WP | CR0_PE
	mov cr0, eax
	lgdt [boot_gdt_pointer]
	jmp KERNEL_CS:.long_mode
.no_long_mode:
	hlt
	jmp .no_long_mode

bits 64
.long_mode:
	mov ax, KERNEL_DS
	mov ds, ax
	mov es, ax
	mov ss, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	mov rsp, boot_stack_top
	mov esi, edi
	mov edi, ebp
	xor ebp, ebp
	mov rax, boot_main
	call rax
.stop:
	hlt
	jmp .stop

section .boot.data progbits alloc noexec write align=8
boot_gdt:
	dq 0, 0
	dq 0x00af9b000000ffff		; KERNEL_CS
	dq 0x00cf93000000ffff		; KERNEL_DS
boot_gdt_pointer:
	dw $ - boot_gdt - 1
	dd boot_gdt

section .boot.bss nobits alloc noexec write align=4096
boot_pml4: resb 4096
boot_pdpt: resb 4096
boot_pdpt_kernel: resb 4096
boot_pd: resb 4 * 4096
boot_stack32: resb 256
boot_stack32_top:

; The boot thread becomes the idle task and keeps this stack; arch_memory_init() unmaps the page
; below.
section .bss nobits alloc noexec write align=4096
global boot_stack_guard
boot_stack_guard: resb 4096
	resb 16384
boot_stack_top:
