// SPDX-License-Identifier: MIT
/*
 * Changing the kernel's own code: a site of <arch/static_branch.h> becomes a jump, or the NOP again, while other CPUs
 * may be executing it.
 *
 * The instruction is five bytes long, and no CPU may meet half of the old and half of the new one. So its
 * first byte becomes INT3 first (SDM vol. 3A, 9.1.3, leaves only this: a single byte, and each CPU serialises before it
 * meets the rest), then the other four are written, then the first. Between the steps every CPU is
 * interrupted; the IRET that ends that serialises. Who runs into the INT3 goes on behind the site, as if its key were off.
 *
 * No page is ever both writable and executable: the bytes are written through a second mapping of the page, which is not
 * executable, is there for the moment of writing only, and is flushed from all TLBs by the same interrupt.
 */
#include <arch/kernel_map.h>
#include <arch/memory.h>
#include <arch/static_branch.h>
#include <arch/text_poke.h>
#include <arch/tlb.h>
#include <kern/string.h>
#include <sync/mutex.h>

#define SITE_LENGTH 5
#define INT3 0xcc
#define JMP_REL32 0xe9
#define WRITABLE (PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX)

extern const struct static_branch_site __static_branch_start[], __static_branch_end[];

static struct mutex lock = MUTEX_INIT(lock);

static const u8 nop[SITE_LENGTH] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

/* Others may still see the old byte until serialise(). Lock held. */
static void poke(unsigned long where, u8 byte)
{
	phys_t pa = image_phys((const void *)where);
	pte_t *window = kernel_pte(POKE_BASE);

	pte_set(window, ALIGN_DOWN(pa, PAGE_SIZE) | WRITABLE);
	tlb_flush_local_page(POKE_BASE);
	WRITE_ONCE(*(u8 *)(POKE_BASE + where % PAGE_SIZE), byte);
	pte_set(window, 0);
}

/* Every CPU forgets the window, and executes what was written. */
static void serialise(void)
{
	tlb_flush_kernel_range(POKE_BASE, POKE_BASE + PAGE_SIZE);
}

static void poke_each(unsigned int key, void (*step)(const struct static_branch_site *s, bool on),
		      bool on)
{
	for (const struct static_branch_site *s = __static_branch_start; s < __static_branch_end;
	     s++)
		if (s->key == key)
			step(s, on);
	serialise();
}

static void poke_trap(const struct static_branch_site *s, bool on __maybe_unused)
{
	poke(s->site, INT3);
}

static void make_instruction(const struct static_branch_site *s, bool on, u8 *bytes)
{
	s32 distance = (s32)(s->target - (s->site + SITE_LENGTH));

	memcpy(bytes, nop, SITE_LENGTH);
	if (!on)
		return;
	bytes[0] = JMP_REL32;
	memcpy(bytes + 1, &distance, sizeof(distance));
}

static void poke_tail(const struct static_branch_site *s, bool on)
{
	u8 bytes[SITE_LENGTH];

	make_instruction(s, on, bytes);
	for (unsigned int i = 1; i < SITE_LENGTH; i++)
		poke(s->site + i, bytes[i]);
}

static void poke_head(const struct static_branch_site *s, bool on)
{
	u8 bytes[SITE_LENGTH];

	make_instruction(s, on, bytes);
	poke(s->site, bytes[0]);
}

void static_branch_set(unsigned int key, bool on)
{
	mutex_lock(&lock);
	poke_each(key, poke_trap, on);
	poke_each(key, poke_tail, on);
	poke_each(key, poke_head, on);
	mutex_unlock(&lock);
}

/* The site may have got its first byte back meanwhile: going on behind it is right for either value of its key. */
bool static_branch_trap(struct trap_frame *tf)
{
	for (const struct static_branch_site *s = __static_branch_start; s < __static_branch_end;
	     s++) {
		if (s->site == tf->rip - 1) {
			tf->rip = s->site + SITE_LENGTH;
			return true;
		}
	}
	return false;
}
