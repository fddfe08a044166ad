/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nodes that have more than one owner, and their copies.
 *
 * A node that others need as it is does not change: whoever is going to store
 * in it copies it first, and all nodes above it from the root down, each with
 * its link.  So the copies of a way to a leaf are made once; from then on the
 * leaf is this array's own, and stores are as fast as ever.
 *
 * How many owners a node has is the memory's business (xa_memory_ops); a node
 * counts as one owner of each thing that its slots name.  A copied node's
 * children have one owner more before the copy can be seen, and the node loses
 * one after that: nothing is ever counted below what it has.  It loses it after
 * a grace period only.  Else another array, alone with the node, would store in
 * it while this array's readers are still inside.
 *
 * A copy is made under the array's lock, while others store to leaves under the
 * read lock.  They do not store to this node: it became shared while the array
 * was frozen, when nobody was inside, and everybody asks since then.
 */
#include "xarray/xa_node.h"

void
xa_may_share(struct xarray *xa)
{
	atomic_store(&xa->may_share, true);
}

void
xa_freeze(struct xarray *xa)
{
	xa_lock(xa);
	/* As before a removal of nodes (B.2): who enters from now on waits for the lock. */
	atomic_store(&xa->unlinking, true);
	atomic_fetch_add(&xa->nr_unlinks, 1);
	xa_synchronize();
}

void
xa_thaw(struct xarray *xa)
{
	atomic_store(&xa->unlinking, false);
	xa_unlock(xa);
}

bool
xa_own_leaf(const struct xarray *xa, uint32_t idx, pm_slot **ret_slots)
{
	uint64_t root = atomic_load_explicit(&xa->root, memory_order_acquire);
	unsigned int level = (unsigned int)(root >> 32);
	uint32_t pfn = (uint32_t)root;

	if (level == 0 || !xa_covers(level, idx))
		return false;
	for (level--;; level--) {
		pm_slot *slots = xa_map(xa, pfn);
		uint64_t slot;

		if (xa->ops->is_shared(xa->memory, pfn))
			return false;
		if (level == 0) {
			*ret_slots = slots;
			return true;
		}
		slot = xa_slot_read(&slots[xa_slot_number(level, idx)]);
		if (!xa_follow(xa, slot, level - 1, xa_span_first(level, idx)))
			return false;
		pfn = xa_entry_payload(slot);
	}
}

/* What a node names loses an owner. */
static void
free_children(struct xarray *xa, uint32_t pfn, unsigned int level, uint32_t first)
{
	pm_slot *slots = xa_map(xa, pfn);

	for (unsigned int i = 0; i < xa_slots_used(level); i++) {
		uint32_t idx = first + (uint32_t)(i * xa_span(level));
		uint64_t slot = xa_slot_read(&slots[i]);

		if (level == 0) {
			xa_entry_t entry = xa_decode_at(xa->place_key, idx, slot);

			if (entry != 0 && !xa_is_err(entry))
				xa->ops->free_entry(xa->memory, idx, entry);
		} else if (xa_follow(xa, slot, level - 1, idx)) {
			xa_free_subtree(xa, xa_entry_payload(slot), level - 1, idx);
		}
	}
}

void
xa_free_subtree(struct xarray *xa, uint32_t pfn, unsigned int level, uint32_t first)
{
	if (UNLIKELY(atomic_load_explicit(&xa->may_share, memory_order_relaxed)) &&
	    !xa->ops->drop_owner(xa->memory, pfn))
		return;
	free_children(xa, pfn, level, first);
	/* Last: it may be taken and overwritten at once. */
	xa->ops->free_node(xa->memory, pfn);
	atomic_fetch_sub_explicit(&xa->nr_nodes, 1, memory_order_relaxed);
}

/* A node's copy, and what has to be undone or done when it takes the node's place or does not. */
struct node_copy {
	uint32_t old, new;
	unsigned int level;
	uint32_t first;
	bool has_owners; /* what it names has been given one owner more for it */
};

static int
copy_node(struct xarray *xa, struct node_copy *copy)
{
	uint64_t slots[XA_CHUNK_SIZE];
	pm_slot *from = xa_map(xa, copy->old);
	int ret = xa->ops->alloc_node(xa->memory, &copy->new);

	if (ret < 0)
		return ret;
	if (!xa_map(xa, copy->new))
		ret = -EIO;
	for (unsigned int i = 0; i < XA_CHUNK_SIZE; i++)
		slots[i] = atomic_load_explicit(&from[i], memory_order_acquire);
	if (ret == 0)
		ret = xa->ops->add_owners(xa->memory, copy->old, copy->level, slots, xa_slots_used(copy->level));
	if (ret < 0) {
		xa->ops->free_node(xa->memory, copy->new);
		return ret;
	}
	copy->has_owners = ret > 0;
	xa_write_node(xa, copy->new, slots);
	xa_fence_nodes(xa);
	return 0;
}

/* The copy was not linked. */
static void
drop_copy(struct xarray *xa, const struct node_copy *copy)
{
	if (copy->has_owners)
		free_children(xa, copy->new, copy->level, copy->first);
	xa->ops->free_node(xa->memory, copy->new);
}

/* The copy is linked: the array does without the node. */
static void
leave_node(struct xarray *xa, const struct node_copy *copy)
{
	if (copy->has_owners)
		xa->ops->leave_node(xa->memory, copy->old, copy->level, copy->first);
	else
		xa->ops->free_node(xa->memory, copy->old);
}

void
xa_drop_left_node(struct xarray *xa, uint32_t pfn, unsigned int level, uint32_t first)
{
	/* Others may have left it as well; then what it names has one owner too many. */
	if (!xa->ops->drop_owner(xa->memory, pfn))
		return;
	free_children(xa, pfn, level, first);
	xa->ops->free_node(xa->memory, pfn);
}

static int
unshare_root(struct xarray *xa, uint32_t pfn, unsigned int height)
{
	struct node_copy copy = {.old = pfn, .level = height - 1};
	int ret = copy_node(xa, &copy);

	if (ret < 0)
		return ret;
	/* Publish.  Durable before: the copy.  A crash in it leaves the old root or the new one, which holds the same.
	 */
	ret = xa->ops->set_root(xa->memory, xa, xa_node_at(xa->place_key, copy.level, 0, copy.new), height);
	if (ret < 0) {
		drop_copy(xa, &copy);
		return ret;
	}
	atomic_store_explicit(&xa->root, xa_mk_root(copy.new, height), memory_order_release);
	leave_node(xa, &copy);
	return 0;
}

static int
unshare_below(struct xarray *xa, pm_slot *slot, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct node_copy copy = {.old = pfn, .level = level, .first = first};
	int ret = copy_node(xa, &copy);

	if (ret < 0)
		return ret;
	/* Publish.  Durable before: the copy.  A crash right after it leaves the node or the copy, which holds the
	 * same. */
	xa_publish_link(xa, slot, xa_node_at(xa->place_key, level, first, copy.new));
	leave_node(xa, &copy);
	return 0;
}

int
xa_unshare(struct xarray *xa, uint32_t idx, uint32_t but_first, uint32_t but_last)
{
	uint64_t root = atomic_load(&xa->root);
	unsigned int height = (unsigned int)(root >> 32);
	uint32_t pfn = (uint32_t)root;
	int ret;

	if (LIKELY(!atomic_load(&xa->may_share)) || height == 0)
		return 0;
	/* A root that is too low for the index is linked by a higher one, as it is. */
	if (!xa_covers(height, idx) || (but_first == 0 && but_last == XA_MAX_INDEX))
		return 0;
	if (xa->ops->is_shared(xa->memory, pfn)) {
		ret = unshare_root(xa, pfn, height);
		if (ret < 0)
			return ret;
		pfn = (uint32_t)atomic_load(&xa->root);
	}
	for (unsigned int level = height - 1; level > 0; level--) {
		uint32_t first = xa_span_first(level, idx);
		pm_slot *slot = &xa_map(xa, pfn)[xa_slot_number(level, idx)];
		uint64_t link = xa_slot_read(slot);

		if (!xa_follow(xa, link, level - 1, first) ||
		    (first >= but_first && xa_span_last(level, idx) <= but_last))
			return 0;
		if (xa->ops->is_shared(xa->memory, xa_entry_payload(link))) {
			ret = unshare_below(xa, slot, xa_entry_payload(link), level - 1, first);
			if (ret < 0)
				return ret;
		}
		pfn = xa_entry_payload(xa_slot_read(slot));
	}
	return 0;
}
