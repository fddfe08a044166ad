/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Erasing a range, and the nodes that are empty then.
 *
 * 1. Leaves that lie in the range in part, one at either end: their slots are
 *    exchanged by holes like any store, without the array's lock.
 * 2. Under the lock, the subtrees that lie in the range as a whole are cut off
 *    by one store of a hole in the node above each, whatever they hold; so are
 *    nodes that step 1 or the cuts left empty.  No slot of a subtree that is
 *    cut off is written.
 * 3. Behind the fence, without a lock: what the cut-off subtrees held is given
 *    back.  Only readers can still be inside.
 *
 * Steps 2 and 3 are repeated when there was more to cut than is remembered at
 * once.
 */
#include "xarray/xa_node.h"

/* Subtrees that are cut off in one go: what one grace period and one fence serve. */
#define MAX_CUTS 256

struct cut {
	uint32_t pfn;
	uint32_t first;
	unsigned int level;
};

struct prune {
	struct xarray *xa;
	uint32_t first, last; /* the range */
	bool look_only; /* change nothing: is there something to cut? */
	bool found; /* something was cut (or would be) */
	bool more; /* there was more than room for it */
	int error; /* -EIO: a damaged node lies partly in the range */
	unsigned int nr_cuts;
	struct cut cuts[MAX_CUTS + 1]; /* the root goes, too */
};

/* ---- 1. slots ---- */

/* Erase [first, last], which lies in one leaf. */
static int
erase_slots(struct xarray *xa, uint32_t first, uint32_t last)
{
	struct {
		xa_entry_t entry;
		uint32_t idx;
	} gone[XA_CHUNK_SIZE];
	uint32_t nr_gone = 0;
	struct xa_descent descent;
	bool locked = xa_enter(xa);
	enum xa_end end;
	pm_slot *slots;

	end = xa_descend(xa, first, &descent);
	if (end == XA_END_LEAF && !xa_may_store(xa, first, &descent.slots)) {
		int ret;

		if (!locked) {
			xa_read_unlock();
			xa_lock(xa);
			locked = true;
		}
		ret = xa_unshare(xa, first, 1, 0);
		if (ret < 0) {
			xa_leave(xa, locked);
			return ret;
		}
		end = xa_descend(xa, first, &descent);
	}
	slots = end == XA_END_LEAF ? &descent.slots[first & XA_CHUNK_MASK] : NULL;

	/* A hole above is waited for or made durable by step 2, which takes the lock. */
	if (!slots || atomic_load(&xa->end) == 0) {
		xa_leave(xa, locked);
		return end == XA_END_DAMAGE ? -EIO : 0;
	}
	for (uint32_t i = 0; i <= last - first; i++) {
		uint64_t hole = htole64(xa_hole_at(xa->place_key, 0, first + i)), was;
		xa_entry_t entry;

		if (atomic_load_explicit(&slots[i], memory_order_acquire) == hole)
			continue;
		/*
		 * Publish.  Nothing has to be durable before.  A crash right after
		 * it leaves the entry or none; what the entry refers to is whole
		 * until the fence below.
		 */
		was = pm_exchange(xa->pm, &slots[i], hole, PM_SITE_XA_ERASE_STORE);
		entry = xa_decode_at(xa->place_key, first + i, le64toh(was));
		if (entry != 0 && !xa_is_err(entry))
			gone[nr_gone].entry = entry, gone[nr_gone++].idx = first + i;
	}
	/* All of them: a hole that was there may be another thread's, not durable yet. */
	pm_flush(xa->pm, slots, (last - first + 1) * sizeof *slots, PM_SITE_XA_ERASE_FLUSH);
	xa_leave(xa, locked);
	pm_fence(xa->pm, PM_SITE_XA_ERASE_FENCE);
	while (nr_gone-- > 0)
		xa->ops->free_entry(xa->memory, gone[nr_gone].idx, gone[nr_gone].entry);
	return 0;
}

/*
 * What a repair gave up in one slot, and what reaches out of [first, last] at
 * the end that is @idx, is given up leaf by leaf from now on: so that the part
 * inside can be erased.
 */
static int
split_lost(struct xarray *xa, uint32_t idx, uint32_t first, uint32_t last)
{
	struct xa_descent descent;
	pm_slot *leaf;
	bool split;
	int ret = 0;

	xa_read_lock();
	split = xa_descend(xa, idx, &descent) == XA_END_DAMAGE && xa_is_lost(xa, &descent, idx) &&
		(xa_span_first(descent.level, idx) < first || xa_span_last(descent.level, idx) > last);
	xa_read_unlock();
	if (LIKELY(!split))
		return 0;
	xa_lock(xa);
	if (atomic_load(&xa->end) > 0)
		ret = xa_make_leaf(xa, idx, &leaf);
	xa_unlock(xa);
	return ret;
}

/* ---- 2. subtrees ---- */

/*
 * Cut off what a slot links; 0 for a slot that is damaged.
 * Return: true if the slot is a hole now (or would be); false if there was no
 *   room to remember it.
 */
static bool
cut_slot(struct prune *p, pm_slot *slot, unsigned int level, uint32_t first, uint64_t link)
{
	p->found = true;
	if (p->look_only)
		return true;
	if (p->nr_cuts == MAX_CUTS) {
		p->more = true;
		return false;
	}
	if (link != 0)
		p->cuts[p->nr_cuts++] = (struct cut){xa_entry_payload(link), first, level - 1};
	/*
	 * Publish.  Nothing has to be durable before.  A crash right after it
	 * leaves the subtree or the hole: each index its old entry or none.
	 * What was below is given back behind the fence only.
	 */
	pm_store(p->xa->pm, slot, htole64(xa_hole_at(p->xa->place_key, level, first)), PM_SITE_XA_UNLINK_STORE);
	return true;
}

/* Is the node all holes, but perhaps for slots [from, to]? */
static bool
rest_is_empty(const struct xarray *xa, pm_slot *slots, unsigned int level, uint32_t first, unsigned int from,
	      unsigned int to)
{
	for (unsigned int i = 0; i < xa_slots_used(level); i++) {
		uint64_t hole = xa_hole_at(xa->place_key, level, first + (uint32_t)(i * xa_span(level)));

		if (i == from) {
			i = to;
			continue;
		}
		if (xa_slot_read(&slots[i]) != hole)
			return false;
	}
	return true;
}

/*
 * Cut off all below a node that lies in the range as a whole, or holds
 * nothing.
 * Return: true if the node holds nothing then.
 */
static bool
prune_node(struct prune *p, pm_slot *slots, unsigned int level, uint32_t first)
{
	struct xarray *xa = p->xa;
	uint32_t node_last = xa_slots_used(level) < XA_CHUNK_SIZE ? XA_MAX_INDEX : xa_span_last(level + 1, first);
	unsigned int from = xa_slot_number(level, MAX(p->first, first));
	unsigned int to = xa_slot_number(level, MIN(p->last, node_last));
	unsigned int flush_from = XA_CHUNK_SIZE, flush_to = 0;
	bool empty = true;

	for (unsigned int i = from; i <= to; i++) {
		uint32_t lo = first + (uint32_t)(i * xa_span(level)), hi = xa_span_last(level, lo);
		uint64_t slot = xa_slot_read(&slots[i]);
		pm_slot *below;

		if (slot == xa_hole_at(xa->place_key, level, lo))
			continue;
		if (level == 0)
			return false;
		below = xa_follow(xa, slot, level - 1, lo);
		if (lo < p->first || hi > p->last) {
			if (!below)
				p->error = -EIO;
			if (!below || !prune_node(p, below, level - 1, lo)) {
				empty = false;
				continue;
			}
		}
		if (!cut_slot(p, &slots[i], level, lo, below ? slot : 0)) {
			empty = false;
			break;
		}
		flush_from = MIN(flush_from, i);
		flush_to = i;
	}
	if (!p->look_only && flush_from <= flush_to)
		pm_flush(xa->pm, &slots[flush_from], (flush_to - flush_from + 1) * sizeof *slots,
			 PM_SITE_XA_UNLINK_FLUSH);
	return empty && rest_is_empty(xa, slots, level, first, from, to);
}

/* Return: true if the tree holds nothing (or would not). */
static bool
prune_tree(struct prune *p)
{
	uint64_t root = atomic_load(&p->xa->root);
	unsigned int height = (unsigned int)(root >> 32);

	if (height == 0 || !xa_covers(height, p->first))
		return false;
	return prune_node(p, xa_map(p->xa, (uint32_t)root), height - 1, 0);
}

/* The last node goes, or a root that cannot be read. */
static int
drop_root(struct prune *p)
{
	struct xarray *xa = p->xa;
	uint64_t root = atomic_load(&xa->root);
	unsigned int height = (unsigned int)(root >> 32);
	int ret;

	/* Publish: a crash in it leaves the root, which holds nothing, or none. */
	ret = xa->ops->set_root(xa->memory, xa, 0, 0);
	if (ret < 0)
		return ret;
	if (root != 0)
		p->cuts[p->nr_cuts++] = (struct cut){(uint32_t)root, 0, height - 1};
	atomic_store_explicit(&xa->root, 0, memory_order_release);
	atomic_store(&xa->damaged_root, false);
	return 0;
}

/* Step 2.  Context: the array's lock held. */
static int
prune_locked(struct prune *p)
{
	struct xarray *xa = p->xa;
	bool whole = p->first == 0 && p->last == XA_MAX_INDEX;
	bool empty;
	int ret = 0;

	if (atomic_load(&xa->end) == 0)
		return -ENXIO;
	if (atomic_load(&xa->damaged_root))
		return whole ? drop_root(p) : -EIO;

	/* Others may have the root: nothing is cut in it, it goes as it is. */
	if (whole && atomic_load(&xa->may_share) && xa_height(xa) > 0) {
		atomic_store(&xa->unlinking, true);
		atomic_fetch_add(&xa->nr_unlinks, 1);
		xa_synchronize(); /* B.2 */
		ret = drop_root(p);
		atomic_store(&xa->unlinking, false);
		return ret;
	}

	/* Most often there is nothing to cut; a grace period is dear. */
	p->look_only = true;
	empty = prune_tree(p);
	if (!p->found && !empty)
		return p->error;

	/* The nodes that are cut in: those on the ways to the two ends. */
	ret = xa_unshare(xa, p->first, p->first, p->last);
	if (ret == 0)
		ret = xa_unshare(xa, p->last, p->first, p->last);
	if (ret < 0)
		return ret;

	p->look_only = p->found = false;
	p->error = 0;
	atomic_store(&xa->unlinking, true);
	atomic_fetch_add(&xa->nr_unlinks, 1);
	xa_synchronize(); /* B.2 */
	empty = prune_tree(p);
	if (p->found)
		pm_fence(xa->pm, PM_SITE_XA_UNLINK_FENCE);
	if (empty)
		ret = drop_root(p);
	/* A root without entries can stay: erasing must not fail for want of space. */
	if (ret == -ENOSPC)
		ret = 0;
	atomic_store(&xa->unlinking, false);
	return ret < 0 ? ret : p->error;
}

/* ---- 3. giving back ---- */

int
xa_erase_range(struct xarray *xa, uint32_t first, uint32_t last)
{
	struct prune p;
	bool whole = first == 0 && last == XA_MAX_INDEX;
	int ret = 0, r;

	if (first > last)
		return 0;
	ret = split_lost(xa, first, first, last);
	r = split_lost(xa, last, first, last);
	ret = ret < 0 ? ret : r;
	/* A root that is a leaf is not cut off for being in the range: no node is above it. */
	if (first != xa_span_first(1, first) || last < xa_span_last(1, first) ||
	    (xa_height(xa) == 1 && !(whole && atomic_load(&xa->may_share)))) {
		r = erase_slots(xa, first, MIN(last, xa_span_last(1, first)));
		ret = ret < 0 ? ret : r;
	}
	if (xa_span_first(1, last) > first && last != xa_span_last(1, last)) {
		r = erase_slots(xa, xa_span_first(1, last), last);
		ret = ret < 0 ? ret : r;
	}

	do {
		p.xa = xa;
		p.first = first;
		p.last = last;
		p.found = p.more = false;
		p.error = 0;
		p.nr_cuts = 0;
		xa_lock(xa);
		r = prune_locked(&p);
		xa_unlock(xa);
		/* Others may store in what they are alone with then: no reader of this array may be inside. */
		if (p.nr_cuts > 0 && atomic_load(&xa->may_share))
			xa_synchronize();
		for (unsigned int i = 0; i < p.nr_cuts; i++)
			xa_free_subtree(xa, p.cuts[i].pfn, p.cuts[i].level, p.cuts[i].first);
		ret = ret < 0 ? ret : r;
	} while (p.more && r != -ENXIO);
	return ret;
}

void
xa_free_all(struct xarray *xa)
{
	uint64_t root = atomic_load(&xa->root);

	if (root != 0)
		xa_free_subtree(xa, (uint32_t)root, (unsigned int)(root >> 32) - 1, 0);
	atomic_store(&xa->root, 0);
}
