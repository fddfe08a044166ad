/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the XArray only: what a place hashes to, and the way down from the
 * root to a leaf.  All inline: this is what a read costs.
 *
 * Levels: a leaf is a node of level 0, the root of a tree of height h has
 * level h - 1.  A slot has the level of the node that it is in, so a slot of
 * level l stands for 2^(l * XA_CHUNK_SHIFT) indices; only a slot of level 0
 * holds an entry.
 */
#ifndef PRMEM_XA_NODE_H
#define PRMEM_XA_NODE_H

#include <endian.h>
#include <errno.h>

#include "common/mix64.h"
#include "xarray/xa_internal.h"

/* ---- places: part of the media format ---- */

/*
 * Lineages may be small numbers or differ in few bits: they are mixed before
 * the place is, so that no two arrays' places meet.
 */
static inline uint64_t
xa_place_key(uint64_t lineage)
{
	return mix64(lineage + UINT64_C(0x9e3779b97f4a7c15));
}

static inline uint64_t
xa_place_hash(uint64_t key, unsigned int level, uint32_t idx, enum xa_kind kind)
{
	return mix64(key ^ ((uint64_t)kind << 40 | (uint64_t)level << 32 | idx));
}

static inline uint32_t
xa_proof_at(uint64_t key, unsigned int level, uint32_t idx, enum xa_kind kind, uint32_t payload)
{
	uint64_t hash = xa_place_hash(key, level, idx, kind) + payload * UINT64_C(0xd1342543de82ef95);

	return (uint32_t)(mix64(hash) >> XA_SLOT_PROOF_SHIFT);
}

/* A hole has no payload to protect: the hash itself fills all of the slot but the kind. */
static inline uint64_t
xa_hole_at(uint64_t key, unsigned int level, uint32_t idx)
{
	uint64_t hash = xa_place_hash(key, level, idx, XA_KIND_HOLE);

	return (hash & ~(UINT64_C(0xf) << XA_SLOT_KIND_SHIFT)) | (uint64_t)XA_KIND_HOLE << XA_SLOT_KIND_SHIFT;
}

/* The slot that says that what was there is lost; in an upper level, for all that it stands for. */
static inline uint64_t
xa_lost_at(uint64_t key, unsigned int level, uint32_t idx)
{
	return xa_mk_entry(XA_KIND_BAD, UINT32_MAX, xa_proof_at(key, level, idx, XA_KIND_BAD, UINT32_MAX));
}

static inline uint64_t
xa_node_at(uint64_t key, unsigned int level, uint32_t first, uint32_t pfn)
{
	return xa_mk_entry(XA_KIND_NODE, pfn, xa_proof_at(key, level, first, XA_KIND_NODE, pfn));
}

/* ---- slots ---- */

static inline uint64_t
xa_slot_read(pm_slot *slot)
{
	return le64toh(atomic_load_explicit(slot, memory_order_acquire));
}

/* Page, run and buffer: the slot and the entry are the same 64 bits. */
static inline bool
xa_kind_has_content(enum xa_kind kind)
{
	const unsigned int kinds = 1u << XA_KIND_PAGE | 1u << XA_KIND_RUN | 1u << XA_KIND_BUFFER;

	return kinds >> kind & 1;
}

static inline uint64_t
xa_encode_at(uint64_t key, uint32_t idx, xa_entry_t entry)
{
	enum xa_kind kind = xa_entry_kind(entry);

	if (LIKELY(xa_kind_has_content(kind)))
		return entry;
	if (entry == 0)
		return xa_hole_at(key, 0, idx);
	return xa_mk_entry(kind, xa_entry_payload(entry), xa_proof_at(key, 0, idx, kind, xa_entry_payload(entry)));
}

static inline xa_entry_t
xa_decode_at(uint64_t key, uint32_t idx, uint64_t slot)
{
	enum xa_kind kind = xa_entry_kind(slot);
	uint32_t payload = xa_entry_payload(slot);

	if (LIKELY(xa_kind_has_content(kind)))
		return slot;
	if (kind == XA_KIND_HOLE && slot == xa_hole_at(key, 0, idx))
		return 0;
	if ((kind == XA_KIND_VALUE || kind == XA_KIND_BAD) &&
	    xa_entry_proof(slot) == xa_proof_at(key, 0, idx, kind, payload))
		return xa_mk_entry(kind, payload, 0);
	return xa_mk_err(-EIO);
}

/* ---- geometry ---- */

/* Slots of a node that stand for indices at all: the topmost level has more than 32 bits need. */
static inline unsigned int
xa_slots_used(unsigned int level)
{
	unsigned int bits_left = XA_INDEX_BITS - level * XA_CHUNK_SHIFT;

	return bits_left < XA_CHUNK_SHIFT ? 1u << bits_left : XA_CHUNK_SIZE;
}

static inline unsigned int
xa_slot_number(unsigned int level, uint32_t idx)
{
	return idx >> (level * XA_CHUNK_SHIFT) & XA_CHUNK_MASK;
}

/* The first and the last index that the slot of @level with @idx in it stands for. */
static inline uint32_t
xa_span_first(unsigned int level, uint32_t idx)
{
	return idx & ~(uint32_t)(xa_span(level) - 1);
}

static inline uint32_t
xa_span_last(unsigned int level, uint32_t idx)
{
	return idx | (uint32_t)(xa_span(level) - 1);
}

static inline uint64_t
xa_mk_root(uint32_t pfn, unsigned int height)
{
	return (uint64_t)height << 32 | pfn;
}

/* ---- the way down ---- */

static inline pm_slot *
xa_map(const struct xarray *xa, uint32_t pfn)
{
	return xa->ops->map(xa->memory, pfn);
}

/* The slots of the node of @level from @first on that @slot links; NULL if it links none. */
static inline pm_slot *
xa_follow(const struct xarray *xa, uint64_t slot, unsigned int level, uint32_t first)
{
	uint32_t pfn = xa_entry_payload(slot);

	if (UNLIKELY(slot != xa_node_at(xa->place_key, level, first, pfn)))
		return NULL;
	return xa_map(xa, pfn);
}

enum xa_end {
	XA_END_LEAF, /* there is a leaf */
	XA_END_NOTHING, /* there is a hole on the way */
	XA_END_DAMAGE, /* there is no telling */
};

/*
 * Where a way down ended.  @slots: the leaf; or the node whose slot for the
 * index is a hole or damaged; or NULL when the root itself said so.
 */
struct xa_descent {
	pm_slot *slots;
	unsigned int level;
	uint64_t slot; /* what the slot said that ended it; another thread may change it at any time */
};

/* Context: the read lock or the array's lock held. */
static inline enum xa_end
xa_descend(const struct xarray *xa, uint32_t idx, struct xa_descent *ret)
{
	uint64_t root = atomic_load_explicit(&xa->root, memory_order_acquire);
	unsigned int level = (unsigned int)(root >> 32);
	pm_slot *slots;

	ret->slots = NULL;
	ret->level = level;
	if (UNLIKELY(atomic_load_explicit(&xa->damaged_root, memory_order_relaxed)))
		return XA_END_DAMAGE;
	if (level == 0 || !xa_covers(level, idx))
		return XA_END_NOTHING;
	slots = xa_map(xa, (uint32_t)root);
	for (level--; level > 0; level--) {
		uint64_t slot = xa_slot_read(&slots[xa_slot_number(level, idx)]);
		pm_slot *below = xa_follow(xa, slot, level - 1, xa_span_first(level, idx));

		if (UNLIKELY(!below)) {
			ret->slots = slots;
			ret->level = level;
			ret->slot = slot;
			return slot == xa_hole_at(xa->place_key, level, xa_span_first(level, idx)) ? XA_END_NOTHING
												   : XA_END_DAMAGE;
		}
		slots = below;
	}
	ret->slots = slots;
	ret->level = 0;
	return XA_END_LEAF;
}

/* Did a way down to @idx end in damage that is known: a slot that says that all below is lost? */
static inline bool
xa_is_lost(const struct xarray *xa, const struct xa_descent *descent, uint32_t idx)
{
	unsigned int level = descent->level;

	return descent->slots && level > 0 &&
	       descent->slot == xa_lost_at(xa->place_key, level, xa_span_first(level, idx));
}

/* The last index that a way down to @idx which met no leaf says the same of. */
static inline uint32_t
xa_descent_last(const struct xa_descent *descent, uint32_t idx)
{
	return descent->slots ? xa_span_last(descent->level, idx) : XA_MAX_INDEX;
}

/* ---- between the files of this room ---- */

/*
 * xa_make_leaf() - the leaf for an index; makes it, and the nodes above it.
 * Context: the array's lock held, not under the read lock; may wait.
 * Persistence: the way to the leaf is durable on return.
 * Return: 0; -ENOSPC, -EROFS, -EIO, and the tree is as it was.
 */
MUST_CHECK int xa_make_leaf(struct xarray *xa, uint32_t idx, pm_slot **ret_leaf);

/* xa_lock(), xa_unlock() - the array's lock, with the memory's word around it. */
static inline void
xa_lock(struct xarray *xa)
{
	if (xa->ops->begin_change)
		xa->ops->begin_change(xa->memory);
	pthread_mutex_lock(&xa->lock);
}

static inline void
xa_unlock(struct xarray *xa)
{
	pthread_mutex_unlock(&xa->lock);
	if (xa->ops->end_change)
		xa->ops->end_change(xa->memory);
}

/*
 * xa_write_node(), xa_fence_nodes() - the content of a new node, @slots as
 * media has them; and the fence that makes it durable before it is linked.
 */
void xa_write_node(struct xarray *xa, uint32_t pfn, const uint64_t *slots);
void xa_fence_nodes(struct xarray *xa);

/*
 * xa_publish_link() - store the link to a node (A.2, A.4).
 * Context: the array's lock held.  Persistence: durable on return.
 */
void xa_publish_link(struct xarray *xa, pm_slot *slot, uint64_t link);

/*
 * xa_own_leaf() - the leaf for an index, if no node on the way to it has an
 * owner beside this array.
 * Context: entered.
 * Return: true and the leaf; false if nodes are to be copied, or there is none.
 */
MUST_CHECK bool xa_own_leaf(const struct xarray *xa, uint32_t idx, pm_slot **ret_slots);

/* xa_may_store() - may a leaf that was found be stored to?  Changes @slots to the leaf to store to. */
static inline bool
xa_may_store(const struct xarray *xa, uint32_t idx, pm_slot **slots)
{
	return LIKELY(!atomic_load_explicit(&xa->may_share, memory_order_relaxed)) || xa_own_leaf(xa, idx, slots);
}

/*
 * xa_unshare() - copy the shared nodes on the way to an index, from the root
 * down; but for nodes that lie in [@but_first, @but_last] entirely.
 * Context: the array's lock held; may wait.
 * Persistence: the copies are durable and linked on return.
 * Return: 0; -ENOSPC, -EROFS, -EIO, -ENOMEM: then the tree holds what it held.
 */
MUST_CHECK int xa_unshare(struct xarray *xa, uint32_t idx, uint32_t but_first, uint32_t but_last);

/* xa_free_subtree() - give back a subtree that this array does not link any more, as far as nobody else has it. */
void xa_free_subtree(struct xarray *xa, uint32_t pfn, unsigned int level, uint32_t first);

/*
 * xa_enter(), xa_leave() - around a store to slots of leaves: under the read
 * lock, or, while nodes are being removed, under the array's lock.
 * Return: true if the array's lock was taken.
 */
MUST_CHECK bool xa_enter(struct xarray *xa);
void xa_leave(struct xarray *xa, bool locked);

/*
 * xa_wait_links() - to be called after the way down and before the
 * acknowledgement: a link on the way may be another thread's, which alone can
 * fence it.
 * Context: neither lock held.
 */
static inline void
xa_wait_links(struct xarray *xa)
{
	if (UNLIKELY(atomic_load(&xa->linking))) {
		pthread_mutex_lock(&xa->lock);
		pthread_mutex_unlock(&xa->lock);
	}
}

/*
 * xa_skip_holes() - the first index behind a hole that may have a leaf again.
 * @descent: of @idx, which ended in nothing
 * Return: at most @max + 1.
 */
uint64_t xa_skip_holes(const struct xarray *xa, const struct xa_descent *descent, uint32_t idx, uint32_t max);

#endif
