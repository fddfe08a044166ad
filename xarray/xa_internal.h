/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XArray's own structures and what the engine may use of them beyond
 * <xarray.h>: cursors, walks, proofs.  Not installed.
 */
#ifndef PRMEM_XA_INTERNAL_H
#define PRMEM_XA_INTERNAL_H

#include <pthread.h>

#include "xarray/xa_memory.h"
#include "xarray/xa_rcu.h"
#include "xarray/xarray_format.h"

/*
 * struct xarray - one array, in RAM.
 *
 * Lock order: @lock is taken before nothing of this room; ops->alloc_node and
 * ops->set_root are called with it held.
 *
 * @root packs what lock-free readers need in one atomic word: page number of
 * the root node in the low 32 bits, height above; 0 is the empty tree.
 *
 * @linking is true while a link to a new node (or a new root) may be visible
 * but not yet durable: whoever stored below it waits for @lock before it
 * acknowledges.  @unlinking is true while empty nodes are being removed: who
 * sees it stores under @lock.  @nr_unlinks counts how often that was done: a
 * leaf found before may be gone.
 *
 * @may_share is true once a node may have an owner beside this array: it is
 * copied before it changes (xa_share.c).
 *
 * @place_key is @lineage, mixed once for all proofs.  @nr_nodes is 0 after
 * xa_init(): who walks the array adds what it met; it is kept right from then
 * on.
 */
struct xarray {
	const struct xa_memory_ops *ops;
	void *memory;
	struct pm *pm;
	uint64_t lineage;
	uint64_t place_key;
	_Atomic uint64_t root;
	atomic_bool linking;
	atomic_bool unlinking;
	_Atomic uint64_t nr_unlinks;
	atomic_bool damaged_root;
	atomic_bool may_share;
	_Atomic uint64_t end; /* indices from here on cannot be stored (xa_set_end) */
	_Atomic uint64_t nr_nodes;
	pthread_mutex_t lock;
};

/* ---- slots: media form to entry and back ---- */

/* The slot that says "nothing here", all 60 bits of it. */
uint64_t xa_hole_slot(uint64_t lineage, unsigned int level, uint32_t idx);

/* The slot that links a node; @level is the node's own, @first its first index. */
uint64_t xa_node_slot(uint64_t lineage, unsigned int level, uint32_t first, uint32_t pfn);

/*
 * The seed of the CRC-32C of what an entry at @idx points to.
 * proof = xa_proof_of_crc(crc32c(xa_content_seed(...), content)).
 */
uint32_t xa_content_seed(uint64_t lineage, uint32_t idx, enum xa_kind kind);

/* xa_seed() - the same for an array at hand. */
uint32_t xa_seed(const struct xarray *xa, uint32_t idx, enum xa_kind kind);

/* xa_proof_of_crc() - a slot has room for the upper bits of its content's CRC. */
static inline uint32_t
xa_proof_of_crc(uint32_t crc)
{
	return crc >> (32 - XA_SLOT_PROOF_BITS);
}

static inline enum xa_kind
xa_entry_kind(xa_entry_t entry)
{
	return (enum xa_kind)(entry >> XA_SLOT_KIND_SHIFT & 0xf);
}

static inline uint32_t
xa_entry_payload(xa_entry_t entry)
{
	return (uint32_t)entry;
}

static inline uint32_t
xa_entry_proof(xa_entry_t entry)
{
	return (uint32_t)(entry >> XA_SLOT_PROOF_SHIFT);
}

/* The entry of a kind; @proof is 28 bits, 0 for values and bad entries. */
static inline xa_entry_t
xa_mk_entry(enum xa_kind kind, uint32_t payload, uint32_t proof)
{
	return (uint64_t)proof << XA_SLOT_PROOF_SHIFT | (uint64_t)kind << XA_SLOT_KIND_SHIFT | payload;
}

/* No kind that is ever stored: what is kept in it cannot be mistaken for an entry. */
#define XA_KIND_ERROR ((enum xa_kind)0xf)

/* An answer that is an error; @error is a negative errno. */
static inline xa_entry_t
xa_mk_err(int error)
{
	return xa_mk_entry(XA_KIND_ERROR, (uint32_t)-error, 0);
}

/* The leaf slot for an entry (0: the hole), and the entry of a leaf slot (an error entry if damaged). */
uint64_t xa_encode(const struct xarray *xa, uint32_t idx, xa_entry_t entry);
xa_entry_t xa_decode(const struct xarray *xa, uint32_t idx, uint64_t slot);

/* ---- cursors ---- */

/*
 * struct xa_state - a position in an array that remembers the leaf.
 * Valid inside one read lock only.
 */
struct xa_state {
	struct xarray *xa;
	pm_slot *leaf; /* slots of the leaf that holds [first, first + XA_CHUNK_SIZE), or NULL */
	uint32_t first;
	bool known; /* leaf (also: that there is none) is known for first */
	int error; /* -EIO: a node on the way is damaged, for all of first's leaf */
};

#define XA_STATE(name, array) struct xa_state name = {.xa = (array)}

/*
 * xas_load() - the entry at an index, by a cursor.
 * Context: read lock held.  Return: as xa_load().
 */
xa_entry_t xas_load(struct xa_state *xas, uint32_t idx);

/*
 * xas_skip() - how many indices from @idx on are known to hold nothing, or
 * to be unreadable, because there is no node for them; at least 1.
 * Context: read lock held.  Return: their number, as 64 bits.
 */
uint64_t xas_skip(struct xa_state *xas, uint32_t idx);

/*
 * struct xa_ahead - the leaf of a store that is to come, so that the store need
 * not go down again.  It may be kept over any time and any lock: a store sees
 * whether nodes were removed since then, and goes down by itself if so.
 */
struct xa_ahead {
	pm_slot *leaf; /* NULL: there was none */
	uint32_t first; /* its first index */
	uint64_t nr_unlinks; /* xa->nr_unlinks before the way down */
};

/*
 * xa_look_ahead() - find the leaf for an index and bring its slot near, while
 * the caller does something else.
 * Context: as xa_load().
 */
void xa_look_ahead(struct xarray *xa, uint32_t idx, struct xa_ahead *ret_ahead);

/*
 * xa_exchange_ahead() - xa_exchange(), by the leaf that was found ahead.
 * @ahead: from xa_look_ahead() of this array, whatever happened since; NULL: go down
 */
int64_t xa_exchange_ahead(struct xarray *xa, const struct xa_ahead *ahead, uint32_t idx, uint32_t nr,
			  const xa_entry_t *entries, xa_entry_t *ret_old);

/*
 * xa_set_end() - let nobody store at @end or behind it any more; 0 for
 * nowhere, 2^32 for everywhere (as xa_init() sets it).  Stores there answer
 * -ENXIO.  xa_erase_range() is not bound by it, unless it is 0.
 * Context: takes the array's lock; waits for a grace period, after which no
 *   store behind the end is under way.
 */
void xa_set_end(struct xarray *xa, uint64_t end);

/* ---- sharing ---- */

/*
 * xa_may_share() - from now on nodes of this array may have other owners.
 * Context: the array is frozen, or nobody else uses it.
 */
void xa_may_share(struct xarray *xa);

/*
 * xa_freeze() - until xa_thaw() nobody stores to the array, and what was stored
 * before is in the tree: its root may become another array's as well.  Readers
 * go on.  Stores that come meanwhile wait.
 * Context: no lock; takes the array's lock and keeps it; waits for a grace period.
 * Persistence: nothing; a store that another thread has not fenced yet may be in
 *   the tree (xa_settle()).
 */
void xa_freeze(struct xarray *xa);
void xa_thaw(struct xarray *xa);

/*
 * xa_drop_left_node() - the array is no owner any more of a node that it left
 * (xa_memory_ops.leave_node): it is given back, with what only it had, if it
 * was the last one.
 * Context: no lock; a grace period has passed since it was left.
 */
void xa_drop_left_node(struct xarray *xa, uint32_t pfn, unsigned int level, uint32_t first);

/* ---- the walk at open, scrub, check ---- */

/*
 * struct xa_visitor - what a walk meets.  Any member may be NULL.
 * @node: a node that proves itself; return false not to descend
 * @entry: a leaf entry (never 0, never an error)
 * @entries: instead of @entry: all of a leaf that is in the range at once; @nr
 *   entries from @idx on, 0 where there is nothing or damage, never all 0
 * @damage: nr indices from idx on cannot be reached: the slot at @level (0:
 *   a leaf slot, nr is 1) holds @slot
 */
struct xa_visitor {
	bool (*node)(void *opaque, uint32_t pfn, unsigned int level, uint32_t first);
	void (*entry)(void *opaque, uint32_t idx, xa_entry_t entry);
	void (*damage)(void *opaque, uint32_t idx, uint64_t nr, unsigned int level, uint64_t slot);
	void *opaque;
	void (*entries)(void *opaque, uint32_t idx, const xa_entry_t *entries, uint32_t nr);
};

/*
 * xa_is_lost_slot() - of what xa_visitor.damage was told: is it a slot that
 * says, and proves, that what was below is lost since a repair?  It reads as
 * damage, and is replaced by nodes of lost entries when something is stored.
 * xa_lost_slot() - such a slot for a level and the first index it stands for.
 */
bool xa_is_lost_slot(const struct xarray *xa, unsigned int level, uint32_t idx, uint64_t slot);
uint64_t xa_lost_slot(const struct xarray *xa, unsigned int level, uint32_t first);

/*
 * xa_walk() - visit the nodes and entries of a range in order.
 * A node is visited only by the walk whose range holds its first index, so
 * that walks over parts that touch visit each node once.
 * Context: under the read lock, or nobody writes.  Reads only.
 */
void xa_walk(struct xarray *xa, uint32_t first, uint32_t last, const struct xa_visitor *visitor);

/*
 * struct xa_sight - one slot as it is on media.  @nr indices from @first on
 * share it: those of a leaf have one each.
 */
struct xa_sight {
	pm_slot *node; /* slots of the node that holds it; NULL: the tree does not reach that far */
	unsigned int level;
	unsigned int number; /* in its node */
	uint32_t first;
	uint64_t nr;
	uint64_t slot;
	/* The same kind and payload with the right proof; 0: no such kind there, or its proof is one of content. */
	uint64_t expected;
};

/*
 * xa_inspect() - the slot that decides what an index holds, for people.
 * Context: read lock held.
 * Return: 0; -EIO when the root itself is damaged.
 */
MUST_CHECK int xa_inspect(const struct xarray *xa, uint32_t idx, struct xa_sight *ret_sight);

/* How many indices a slot of a level stands for. */
static inline uint64_t
xa_span(unsigned int level)
{
	return UINT64_C(1) << (level * XA_CHUNK_SHIFT);
}

/* Does a tree of this height have a place for an index? */
static inline bool
xa_covers(unsigned int height, uint32_t idx)
{
	return height >= XA_MAX_HEIGHT || (uint64_t)idx < xa_span(height);
}

/* xa_height() - levels of the tree: 0 for the empty tree. */
static inline unsigned int
xa_height(const struct xarray *xa)
{
	return (unsigned int)(atomic_load_explicit(&xa->root, memory_order_acquire) >> 32);
}

/* xa_dump() - print the tree to stderr, for gdb and failing checks. */
void xa_dump(struct xarray *xa);

#endif
