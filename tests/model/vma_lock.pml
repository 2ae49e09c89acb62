/* SPDX-License-Identifier: MIT
 *
 * The lock of one vma, mm/vma_lock.c, as a model for Spin: two readers, which are faults, and a writer that takes mmap_lock
 * for writing, locks the vma, changes it and lets go, a few times, and in the end takes it out of the index and frees it.
 *
 * A step is an atomic operation, a load or a store. Stores that would wait in a store buffer are followed by an atomic
 * operation before anything that matters is loaded, or need not be seen at once.
 *
 * Checked: no reader is inside while the writer changes the vma, none after it has left the index, none looks at it
 * after it was freed (assert); the writer always gets in (ltl): no wake-up is lost.
 */
#define ROUNDS 3
#define AWAITED 64
#define DETACHED 255

byte readers; /* vma->readers: AWAITED is its sign bit */
byte vma_seq = 1, mm_seq = 1;
bool mmap_lock = true;		   /* for writing: the vma was just made */
bool wait_lock, waiter, token;	   /* mm->vma_wait_lock, mm->vma_writer, unpark() before park() */
bool in_index = true, freed, changing, ended;
byte inside, sections; /* readers that hold the lock; RCU read sections */

inline take(l) { atomic { !l -> l = true } }

inline end_read()
{
	atomic { readers--; wake = readers >= AWAITED };
	if
	:: wake ->
		take(wait_lock);
		token = token || waiter;
		wait_lock = false
	:: else
	fi
}

proctype reader()
{
	byte seq;
	bool wake;

end:	do
	:: atomic { in_index -> sections++ };
		assert(!freed);
		readers++;
		seq = mm_seq;
		if
		:: vma_seq < seq ->
			inside++;
			sections--;
			assert(!changing && in_index);
			inside--;
			end_read()
		:: else ->
			end_read();
			assert(!freed);
			sections--;
			!mmap_lock /* it waits for that */
		fi
	od
}

inline start_write()
{
	vma_seq = mm_seq;
	if
	:: readers != 0 ->
		take(wait_lock);
		waiter = true;
		wait_lock = false;
		readers = readers + AWAITED;
		do
		:: readers == AWAITED -> break
		:: else -> atomic { token -> token = false } /* park() */
		od;
		readers = readers - AWAITED;
		take(wait_lock);
		waiter = false;
		wait_lock = false
	:: else
	fi
}

proctype writer()
{
	byte round;

	do
	:: mmap_lock = true;
		start_write();
		changing = true;
		assert(inside == 0);
		changing = false;
		if
		:: round == ROUNDS -> break
		:: round < ROUNDS -> round++
		fi;
		mm_seq++;
		mmap_lock = false
	od;
	vma_seq = DETACHED;
	in_index = false;
	mm_seq++;
	mmap_lock = false;
	sections == 0; /* a grace period */
	assert(inside == 0);
	freed = true;
	ended = true
}

init { atomic { run reader(); run reader(); run writer() } }

ltl writer_gets_in { <> ended }
