; SPDX-License-Identifier: MIT
;
; The vdso as the kernel carries it: the bytes of the shared object that the Makefile links.

global vdso_image, vdso_image_end

section .rodata
align 16
vdso_image:
	incbin "vdso.so"
vdso_image_end:
