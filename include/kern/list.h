/* SPDX-License-Identifier: MIT
 *
 * A circular doubly linked list whose links live inside the objects.
 */
#ifndef KERN_LIST_H
#define KERN_LIST_H

#include <kern/types.h>

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)                                                                       \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *h)
{
	h->next = h;
	h->prev = h;
}

static inline void list_insert_between(struct list_head *n, struct list_head *prev,
				       struct list_head *next)
{
	next->prev = n;
	n->next = next;
	n->prev = prev;
	prev->next = n;
}

static inline void list_add(struct list_head *n, struct list_head *head)
{
	list_insert_between(n, head, head->next);
}

static inline void list_add_tail(struct list_head *n, struct list_head *head)
{
	list_insert_between(n, head->prev, head);
}

/* The entry's own links are left as they were: use list_del_init() when it will be tested again. */
static inline void list_del(struct list_head *n)
{
	struct list_head *prev = n->prev, *next = n->next;

	next->prev = prev;
	prev->next = next;
}

static inline void list_del_init(struct list_head *n)
{
	list_del(n);
	INIT_LIST_HEAD(n);
}

/* From wherever it is to the head of another list. */
static inline void list_move(struct list_head *n, struct list_head *head)
{
	list_del(n);
	list_add(n, head);
}

static inline void list_move_tail(struct list_head *n, struct list_head *head)
{
	list_del(n);
	list_add_tail(n, head);
}

static inline bool list_empty(const struct list_head *h)
{
	return h->next == h;
}

/* Moves everything on from to the tail of to; from is left empty. */
static inline void list_splice_tail_init(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	INIT_LIST_HEAD(from);
}

/* All of from, which is not empty, and no list any more then, to the head of another. */
static inline void list_splice(const struct list_head *from, struct list_head *to)
{
	from->prev->next = to->next;
	to->next->prev = from->prev;
	to->next = from->next;
	from->next->prev = to;
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_last_entry(h, type, member) list_entry((h)->prev, type, member)
#define list_next_entry(e, member) list_entry((e)->member.next, __typeof__(*(e)), member)

#define list_for_each_entry(e, h, member)                                                          \
	for ((e) = list_first_entry(h, __typeof__(*(e)), member); &(e)->member != (h);             \
	     (e) = list_next_entry(e, member))

/* Allows the current entry to be removed or freed. */
#define list_for_each_entry_safe(e, n, h, member)                                                  \
	for ((e) = list_first_entry(h, __typeof__(*(e)), member),                                  \
	    (n) = list_next_entry(e, member);                                                      \
	     &(e)->member != (h); (e) = (n), (n) = list_next_entry(n, member))

#endif
