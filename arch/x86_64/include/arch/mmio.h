/* SPDX-License-Identifier: MIT
 *
 * Registers of devices in memory: mapping them, and accesses of exactly one size, in program order.
 */
#ifndef ARCH_MMIO_H
#define ARCH_MMIO_H

#include <kern/types.h>

/*
 * Maps the registers at [pa, pa + size), uncached, for good. NULL: no memory, the window is full, or there can
 * be nothing at such an address. May sleep.
 */
void *ioremap(phys_t pa, size_t size);

static inline u8 mmio_read8(const void *reg)
{
	return *(const volatile u8 *)reg;
}

static inline u16 mmio_read16(const void *reg)
{
	return *(const volatile u16 *)reg;
}

static inline u32 mmio_read32(const void *reg)
{
	return *(const volatile u32 *)reg;
}

static inline void mmio_write8(void *reg, u8 v)
{
	__asm__ volatile("movb %0, %1" : : "q"(v), "m"(*(volatile u8 *)reg) : "memory");
}

static inline void mmio_write16(void *reg, u16 v)
{
	__asm__ volatile("movw %0, %1" : : "r"(v), "m"(*(volatile u16 *)reg) : "memory");
}

static inline void mmio_write32(void *reg, u32 v)
{
	__asm__ volatile("movl %0, %1" : : "r"(v), "m"(*(volatile u32 *)reg) : "memory");
}

#endif
