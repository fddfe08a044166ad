/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Storing: exchange slots of leaves, make them durable, answer what was there.
 *
 * All of it is the same five steps: enter, go down (and make the leaf if one
 * is needed), exchange and flush the slots, leave, acknowledge.
 */
#include <string.h>

#include "xarray/xa_node.h"

/* Slots that this thread stored to. */
static inline void
flush_stored(struct xarray *xa, pm_slot *slots, uint32_t nr)
{
	pm_flush(xa->pm, slots, nr * sizeof *slots, PM_SITE_XA_SLOT_FLUSH);
}

/* A slot that this thread only read, and whose content its answer depends on (A.5). */
static inline void
flush_seen(struct xarray *xa, pm_slot *slot)
{
	pm_flush(xa->pm, slot, sizeof *slot, PM_SITE_XA_SEEN_FLUSH);
}

/* The last step: what this thread flushed is durable, and so is the way to it (A.4). */
static inline void
acknowledge(struct xarray *xa)
{
	pm_fence(xa->pm, PM_SITE_XA_SLOT_FENCE);
	xa_wait_links(xa);
}

static bool
may_be_stored(xa_entry_t entry)
{
	enum xa_kind kind = xa_entry_kind(entry);

	if (xa_kind_has_content(kind) || entry == 0)
		return true;
	return (kind == XA_KIND_VALUE || kind == XA_KIND_BAD) && xa_entry_proof(entry) == 0;
}

/*
 * The leaf that a store misses: made under the array's lock, and the store
 * goes on under it (C.3).
 * Return: as xa_make_leaf(); -EAGAIN when the lock is to be taken first.
 */
static int
make_leaf(struct xarray *xa, uint32_t idx, bool locked, pm_slot **ret_leaf)
{
	return locked ? xa_make_leaf(xa, idx, ret_leaf) : -EAGAIN;
}

/* From the read lock to the array's lock: all that was found out is to be asked again. */
static void
leave_for_lock(struct xarray *xa)
{
	xa_read_unlock();
	xa_lock(xa);
}

static inline uint64_t
array_end(struct xarray *xa)
{
	return atomic_load_explicit(&xa->end, memory_order_acquire);
}

static void
exchange_in_leaf(struct xarray *xa, pm_slot *leaf, uint32_t idx, uint32_t nr, const xa_entry_t *entries,
		 xa_entry_t *ret_old)
{
	pm_slot *slots = &leaf[idx & XA_CHUNK_MASK];

	for (uint32_t i = 0; i < nr; i++) {
		uint64_t new = htole64(xa_encode_at(xa->place_key, idx + i, entries[i]));
		xa_entry_t old;

		if (entries[i] == 0 && atomic_load_explicit(&slots[i], memory_order_acquire) == new) {
			/* The flush below covers it: the hole may be another thread's. */
			ret_old[i] = 0;
			continue;
		}
		/*
		 * Publish.  Durable before: what the entry points to, by its
		 * maker's fence.  A crash right after it leaves the old entry or
		 * the new one; both are whole, as what is replaced is freed
		 * behind the fence only.
		 */
		new = pm_exchange(xa->pm, &slots[i], new, PM_SITE_XA_SLOT_STORE);
		old = xa_decode_at(xa->place_key, idx + i, le64toh(new));
		/* What a damaged slot held is lost, and must not be freed. */
		ret_old[i] = xa_is_err(old) ? 0 : old;
	}
	flush_stored(xa, slots, nr);
}

/* The leaf that was found ahead, if it is the one for @idx and still linked (B.2).  Context: entered. */
static inline pm_slot *
leaf_ahead(struct xarray *xa, const struct xa_ahead *ahead, uint32_t idx)
{
	/* A leaf that is shared by now is copied first. */
	if (UNLIKELY(atomic_load_explicit(&xa->may_share, memory_order_relaxed)))
		return NULL;
	if (!ahead || !ahead->leaf || ahead->first != (idx & ~(uint32_t)XA_CHUNK_MASK))
		return NULL;
	return atomic_load_explicit(&xa->nr_unlinks, memory_order_acquire) == ahead->nr_unlinks ? ahead->leaf : NULL;
}

/*
 * The part of an exchange that lies in one leaf.
 * Return: how many were exchanged, at least 1; or a negative errno; -EAGAIN
 *   when it is to be done under the array's lock.
 */
static int64_t
exchange_part(struct xarray *xa, const struct xa_ahead *ahead, uint32_t idx, uint32_t nr, const xa_entry_t *entries,
	      xa_entry_t *ret_old, bool locked)
{
	uint64_t end = array_end(xa);
	struct xa_descent descent;
	pm_slot *leaf;
	uint32_t i = 0;
	int ret;

	if (UNLIKELY(idx >= end))
		return -ENXIO;
	nr = (uint32_t)MIN(nr, end - idx);
	leaf = leaf_ahead(xa, ahead, idx);
	if (LIKELY(leaf)) {
		exchange_in_leaf(xa, leaf, idx, nr, entries, ret_old);
		return nr;
	}
	switch (xa_descend(xa, idx, &descent)) {
	case XA_END_LEAF:
		if (LIKELY(xa_may_store(xa, idx, &descent.slots)))
			break;
		ret = make_leaf(xa, idx, locked, &descent.slots);
		if (ret < 0)
			return ret;
		break;
	case XA_END_DAMAGE:
		if (!xa_is_lost(xa, &descent, idx))
			return -EIO;
		ret = make_leaf(xa, idx, locked, &descent.slots);
		if (ret < 0)
			return ret;
		break;
	case XA_END_NOTHING:
		while (i < nr && entries[i] == 0)
			i++;
		if (i == nr) {
			/* That there is no leaf is durable: B.2. */
			memset(ret_old, 0, nr * sizeof *ret_old);
			return nr;
		}
		ret = make_leaf(xa, idx, locked, &descent.slots);
		if (ret < 0)
			return ret;
		break;
	}
	exchange_in_leaf(xa, descent.slots, idx, nr, entries, ret_old);
	return nr;
}

int64_t
xa_exchange_ahead(struct xarray *xa, const struct xa_ahead *ahead, uint32_t idx, uint32_t nr, const xa_entry_t *entries,
		  xa_entry_t *ret_old)
{
	uint32_t done = 0;
	int64_t ret = 0;

	if (nr > 0 && XA_MAX_INDEX - idx < nr - 1)
		return -EINVAL;
	for (uint32_t i = 0; i < nr; i++)
		if (UNLIKELY(!may_be_stored(entries[i])))
			return -EINVAL;

	while (done < nr) {
		uint32_t at = idx + done;
		uint32_t part = MIN(nr - done, XA_CHUNK_SIZE - (at & XA_CHUNK_MASK));

		bool locked = xa_enter(xa);

		ret = exchange_part(xa, ahead, at, part, entries + done, ret_old + done, locked);
		if (ret == -EAGAIN) {
			leave_for_lock(xa);
			locked = true;
			ret = exchange_part(xa, ahead, at, part, entries + done, ret_old + done, locked);
		}
		xa_leave(xa, locked);
		if (ret < 0)
			break;
		done += (uint32_t)ret;
	}
	if (done > 0)
		acknowledge(xa);
	return done > 0 ? done : ret;
}

int64_t
xa_exchange(struct xarray *xa, uint32_t idx, uint32_t nr, const xa_entry_t *entries, xa_entry_t *ret_old)
{
	return xa_exchange_ahead(xa, NULL, idx, nr, entries, ret_old);
}

xa_entry_t
xa_store(struct xarray *xa, uint32_t idx, xa_entry_t entry)
{
	xa_entry_t old;
	int64_t ret = xa_exchange(xa, idx, 1, &entry, &old);

	return ret < 0 ? xa_mk_err((int)ret) : old;
}

xa_entry_t
xa_erase(struct xarray *xa, uint32_t idx)
{
	return xa_store(xa, idx, 0);
}

/* Compare and exchange in a leaf.  Return: what was there, or an error entry. */
static xa_entry_t
cmpxchg_in_leaf(struct xarray *xa, pm_slot *leaf, uint32_t idx, xa_entry_t old, xa_entry_t entry)
{
	uint64_t new = htole64(xa_encode_at(xa->place_key, idx, entry));
	pm_slot *slot = &leaf[idx & XA_CHUNK_MASK];
	uint64_t was = atomic_load_explicit(slot, memory_order_acquire);
	xa_entry_t found;

	do {
		found = xa_decode_at(xa->place_key, idx, le64toh(was));
		if (xa_is_err(found))
			return found;
		if (found != old) {
			flush_seen(xa, slot);
			return found;
		}
		/* Publish: as in exchange_in_leaf(). */
	} while (!pm_cmpxchg(xa->pm, slot, &was, new, PM_SITE_XA_SLOT_CMPXCHG));
	flush_stored(xa, slot, 1);
	return found;
}

/* Return: as xa_cmpxchg(); -EAGAIN when it is to be done under the array's lock. */
static xa_entry_t
cmpxchg_one(struct xarray *xa, uint32_t idx, xa_entry_t old, xa_entry_t entry, bool locked)
{
	struct xa_descent descent;
	xa_entry_t found;
	int ret;

	if (UNLIKELY(idx >= array_end(xa)))
		return xa_mk_err(-ENXIO);
	switch (xa_descend(xa, idx, &descent)) {
	case XA_END_LEAF:
		/* Nothing is copied for an answer. */
		found = xa_decode_at(xa->place_key, idx, xa_slot_read(&descent.slots[idx & XA_CHUNK_MASK]));
		if (xa_is_err(found))
			return found;
		if (found != old) {
			flush_seen(xa, &descent.slots[idx & XA_CHUNK_MASK]);
			return found;
		}
		if (LIKELY(xa_may_store(xa, idx, &descent.slots)))
			break;
		ret = make_leaf(xa, idx, locked, &descent.slots);
		if (ret < 0)
			return xa_mk_err(ret);
		break;
	case XA_END_DAMAGE:
		if (!xa_is_lost(xa, &descent, idx))
			return xa_mk_err(-EIO);
		ret = make_leaf(xa, idx, locked, &descent.slots);
		if (ret < 0)
			return xa_mk_err(ret);
		break;
	case XA_END_NOTHING:
		if (old != 0 || entry == 0)
			return 0; /* durable: B.2 */
		ret = make_leaf(xa, idx, locked, &descent.slots);
		if (ret < 0)
			return xa_mk_err(ret);
		break;
	}
	return cmpxchg_in_leaf(xa, descent.slots, idx, old, entry);
}

xa_entry_t
xa_cmpxchg(struct xarray *xa, uint32_t idx, xa_entry_t old, xa_entry_t entry)
{
	xa_entry_t found;
	bool locked;

	if (!may_be_stored(entry))
		return xa_mk_err(-EINVAL);
	locked = xa_enter(xa);
	found = cmpxchg_one(xa, idx, old, entry, locked);
	if (xa_err(found) == -EAGAIN) {
		leave_for_lock(xa);
		locked = true;
		found = cmpxchg_one(xa, idx, old, entry, locked);
	}
	xa_leave(xa, locked);
	if (!xa_is_err(found))
		acknowledge(xa);
	return found;
}
