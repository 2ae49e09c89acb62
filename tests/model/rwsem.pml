/* SPDX-License-Identifier: MIT
 *
 * The rwsem of kernel/sync/rwsem.c under the fifo policy, as a model for Spin: two readers and two writers that
 * take the lock as often as they like. A step is what the kernel does in one atomic operation or under wait_lock;
 * between the fast path's operation on count and the slow path's lock anything may happen.
 *
 * Checked: a writer excludes everybody (assert); no lost wake-up (Spin finds no state without a next step);
 * RWSEM_WAITERS says whether somebody is queued whenever wait_lock is free; no starvation (ltl): a queued
 * thread, reader or writer, gets the lock, given that threads that can run do.
 */
#define N 4 /* threads 0, 1: readers; 2, 3: writers */
#define IS_WRITER(id) ((id) >= 2)
#define SOMEONE_WAITS (queued[0] || queued[1] || queued[2] || queued[3])

byte readers;         /* count: reader holds */
bool writer, waiters; /* count: RWSEM_WRITER, RWSEM_WAITERS */
bool wait_lock;
chan queue = [N] of { byte }; /* in order of arrival */
bool granted[N], queued[N];
byte in_read, in_write;

inline take(l) { atomic { !l; l = true } }

/* grant_waiters(): the head, and with a reader all queued readers. wait_lock held, so one step for the others,
 * but for releases, which change count alone and come before or after. */
inline grant_waiters()
{
	d_step {
		if
		:: SOMEONE_WAITS && !writer ->
			queue ? <head>;
			if
			:: IS_WRITER(head) && readers == 0 ->
				queue ? head;
				writer = true; granted[head] = true; queued[head] = false
			:: IS_WRITER(head) && readers > 0
			:: else ->
				i = 0;
				do
				:: i < N ->
					if
					:: !IS_WRITER(i) && queued[i] ->
						queue ?? eval(i);
						readers++; granted[i] = true; queued[i] = false
					:: else
					fi;
					i++
				:: else -> break
				od
			fi
		:: else
		fi;
		if
		:: !SOMEONE_WAITS -> waiters = false
		:: else
		fi;
		head = 0; i = 0
	}
}

inline wake()
{
	take(wait_lock);
	grant_waiters();
	wait_lock = false
}

inline acquire(id)
{
	if
	:: atomic { !IS_WRITER(id) && !writer && !waiters -> readers++ }
	:: atomic { IS_WRITER(id) && !writer && !waiters && readers == 0 -> writer = true }
	:: else ->
		take(wait_lock);
		waiters = true;
		d_step { queue ! id; queued[id] = true }
		grant_waiters();
		wait_lock = false;
		atomic { granted[id] && !wait_lock -> granted[id] = false } /* park() until granted */
	fi
}

inline release(id)
{
	if
	:: IS_WRITER(id) ->
		atomic { writer = false; again = waiters }
	:: else ->
		atomic { readers--; again = waiters && readers == 0 && !writer }
	fi;
	if
	:: again -> wake()
	:: else
	fi
}

proctype thread(byte id)
{
	byte head, i;
	bool again;

	do
	:: true ->
		acquire(id);
		if
		:: IS_WRITER(id) -> in_write++
		:: else -> in_read++
		fi;
		assert(in_write <= 1 && (in_write == 0 || in_read == 0));
		if
		:: IS_WRITER(id) -> in_write--
		:: else -> in_read--
		fi;
		release(id)
	:: break
	od
}

init { atomic { run thread(0); run thread(1); run thread(2); run thread(3) } }

/* Whenever wait_lock is free, the bit is right. */
ltl bit_is_right { [] (wait_lock || (waiters == SOMEONE_WAITS)) }
/* Who waits gets the lock. */
ltl writer_gets_in { [] (queued[2] -> <> granted[2]) }
ltl reader_gets_in { [] (queued[0] -> <> granted[0]) }
