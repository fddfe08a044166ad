/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tree: its beginning and end, and how it grows.
 *
 * STRUCTURE
 *
 * A radix tree over 32-bit indices, XA_CHUNK_SHIFT bits a level, of nodes
 * that are pages of persistent memory and nothing but slots.  All leaves have
 * the same depth; the tree is as high as its highest index needed when it
 * came, and gets higher by new roots whose slot 0 is the old one.  It gets
 * lower only by becoming empty, and then has no root at all.  Which node is
 * the root lies outside (ops->set_root); xa->root is its copy in RAM.
 *
 * Each slot proves itself (xarray_format.h), so a way down believes nothing:
 * a slot that links no node and is not the hole of its place is damage, and
 * costs just the indices behind it.  As the proof of a link has the level in
 * it, and levels fall by one on the way, no content of the memory makes a
 * walk go round in circles.
 *
 * CONCURRENCY
 *
 * Readers hold the read lock only.  Who stores to slots of leaves holds the
 * read lock too, and exchanges each slot atomically.  Who changes which nodes
 * there are holds xa->lock.  Neither lock is ever taken inside the other.
 *
 * What is guaranteed, and by what:
 *
 * A. Ordering
 *  A.1 A node that can be reached has durable content: it is copied and
 *	fenced before the one store that links it, or before set_root.
 *  A.2 Nodes made at once are linked by one store, or by one set_root: a crash
 *	leaves all or none of them.
 *  A.3 xa->root changes after set_root made the new root durable: what is
 *	found from xa->root hangs on nothing that is not durable, but for
 *	links that A.4 speaks of.
 *  A.4 Nothing below a link is acknowledged before the link is durable.  A
 *	fence drains the stores of its own thread only, so a thread that came
 *	by another one's fresh link cannot make it durable.  It learns of it
 *	from xa->linking, which is set before the link can be seen and cleared
 *	behind its fence, and waits for the lock that the linker holds.  The
 *	question must be asked after the way down: before, the link may not
 *	have been there.
 *  A.5 Whoever acknowledges what a slot of a leaf says (there is nothing; it is
 *	not what you expected) has flushed and fenced that slot itself: the store
 *	may be another thread's that is not durable yet.
 * B. Removal
 *  B.1 What was replaced or removed is given back only after the fence that
 *	made its removal durable: nothing that is reused is still reachable,
 *	on media either.
 *  B.2 A node that is unlinked has no writer inside: xa->unlinking is set and
 *	a grace period waited for; who enters later sees it and stores under
 *	xa->lock.  So no acknowledged store is lost with a node.  And, as
 *	xa->unlinking is cleared behind the fence, a hole that a writer meets
 *	above the leaves is durable: it may say "nothing there" at once.
	A leaf that was found ahead of a store is still linked if xa->nr_unlinks,
	which is counted while xa->unlinking is set, is what it was: a removal that
	began since then has either been counted, or waits for the writer to leave.
 *  B.3 A node that is given back may still have readers until a grace period
 *	is over; the memory's owner waits for that, not this room.
 * C. Progress
 *  C.1 Reading waits for nobody.
 *  C.2 Storing where there is a leaf waits for nobody but while nodes are
 *	being removed; then for that to end.
 *  C.3 A store that needed a node goes on under the lock with which it made
 *	it: a range erase cannot take it away again and again.
 * D. Failure
 *  D.1 When no page can be had, or set_root fails, the tree is as it was and
 *	the pages are given back.
 *
 * E. Sharing (xa_share.c)
 *  E.1 A node that has an owner beside this array does not change: it is
 *	copied before, with all nodes above it that have one, too.
 *  E.2 A copy says what the node says: a crash between the links of the copies
 *	leaves the same entries, whichever nodes are reached.
 *  E.3 No array stores in a node while readers or writers of another one may be
 *	inside: a node that was left keeps its owner for a grace period.
 *
 * REJECTED
 *
 * - A count of entries in each node, to know when it is empty: a second word
 *   that would have to change with the slot as one.  A leaf is looked through
 *   when a range erase passes.
 * - Helping to make another thread's link durable (flush and fence what was
 *   seen, all the way down): it would cost every store a flush for each level,
 *   for a thing that happens once in XA_CHUNK_SIZE stores.
 * - Putting the first entry into a new leaf before it is linked: saves one
 *   fence in XA_CHUNK_SIZE stores, for a second way to store.
 * - A lock for each node: stores of whole entries need none, and structure
 *   changes are rare.
 * - Getting lower when the upper slots become empty, as the Linux XArray does:
 *   a reader that has the old root would have to be told; nothing is gained
 *   but one level.
 * - Entries of many indices (multi-index entries, as in Linux): a run of pages
 *   is an entry at one index here.
 */
#include "xarray/xa_node.h"

int
xa_init(struct xarray *xa, const struct xa_memory_ops *ops, void *memory, struct pm *pm, uint64_t lineage,
	uint64_t root, unsigned int height)
{
	uint32_t pfn = xa_entry_payload(root);
	int ret = 0;

	xa->ops = ops;
	xa->memory = memory;
	xa->pm = pm;
	xa->lineage = lineage;
	xa->place_key = xa_place_key(lineage);
	atomic_init(&xa->root, 0);
	atomic_init(&xa->linking, false);
	atomic_init(&xa->unlinking, false);
	atomic_init(&xa->nr_unlinks, 0);
	atomic_init(&xa->damaged_root, false);
	atomic_init(&xa->may_share, false);
	atomic_init(&xa->end, (uint64_t)XA_MAX_INDEX + 1);
	atomic_init(&xa->nr_nodes, 0);
	if (pthread_mutex_init(&xa->lock, NULL) != 0)
		return -ENOMEM;

	if (root == 0 && height == 0)
		return 0;
	if (height > XA_MAX_HEIGHT)
		ret = -EINVAL;
	else if (height == 0 || root != xa_node_at(xa->place_key, height - 1, 0, pfn) || !xa_map(xa, pfn))
		ret = -EIO;
	/* Either way the caller may go on: all answers are -EIO then. */
	if (ret < 0)
		atomic_store(&xa->damaged_root, true);
	else
		atomic_store(&xa->root, xa_mk_root(pfn, height));
	return ret;
}

void
xa_fini(struct xarray *xa)
{
	pthread_mutex_destroy(&xa->lock);
}

bool
xa_enter(struct xarray *xa)
{
	xa_read_lock();
	if (LIKELY(!atomic_load_explicit(&xa->unlinking, memory_order_acquire)))
		return false;
	xa_read_unlock();
	xa_lock(xa);
	return true;
}

void
xa_leave(struct xarray *xa, bool locked)
{
	if (UNLIKELY(locked))
		xa_unlock(xa);
	else
		xa_read_unlock();
}

void
xa_set_end(struct xarray *xa, uint64_t end)
{
	xa_lock(xa);
	atomic_store(&xa->end, end);
	xa_unlock(xa);
	/* Who asked for the end before it changed has left when this is over (xa_enter()). */
	xa_synchronize();
}

/* ---- growing ---- */

/* A root can need all levels for the new path, and as many above the old root. */
#define MAX_NEW_NODES (2 * XA_MAX_HEIGHT)

/* Pages for the nodes of one change. */
struct new_nodes {
	uint32_t pfns[MAX_NEW_NODES];
	unsigned int nr;
	unsigned int nr_used;
	bool lost; /* they stand for what is lost */
};

static int
take_nodes(struct xarray *xa, unsigned int nr, struct new_nodes *nodes)
{
	int ret;

	nodes->nr_used = 0;
	nodes->lost = false;
	for (nodes->nr = 0; nodes->nr < nr; nodes->nr++) {
		uint32_t pfn;

		ret = xa->ops->alloc_node(xa->memory, &pfn);
		if (ret < 0)
			goto give_back;
		nodes->pfns[nodes->nr] = pfn;
		if (!xa_map(xa, pfn)) {
			nodes->nr++;
			ret = -EIO;
			goto give_back;
		}
	}
	return 0;

give_back:
	while (nodes->nr > 0)
		xa->ops->free_node(xa->memory, nodes->pfns[--nodes->nr]);
	return ret;
}

void
xa_write_node(struct xarray *xa, uint32_t pfn, const uint64_t *slots)
{
	pm_copy(xa->pm, xa_map(xa, pfn), slots, XA_CHUNK_SIZE * sizeof *slots, PM_SITE_XA_NODE_COPY);
}

void
xa_fence_nodes(struct xarray *xa)
{
	pm_fence(xa->pm, PM_SITE_XA_NODE_FENCE);
}

void
xa_publish_link(struct xarray *xa, pm_slot *slot, uint64_t link)
{
	atomic_store(&xa->linking, true);
	pm_store(xa->pm, slot, htole64(link), PM_SITE_XA_LINK_STORE);
	pm_flush(xa->pm, slot, sizeof *slot, PM_SITE_XA_LINK_FLUSH);
	pm_fence(xa->pm, PM_SITE_XA_LINK_FENCE);
	atomic_store(&xa->linking, false);
}

/*
 * Write the next new node: holes (or, where it stands for what is lost, slots
 * that say so), but for the link @low at its slot 0 and the link @at_idx at
 * the slot for @idx; 0 is no link.
 * Return: the slot that links it.
 */
static uint64_t
write_node(struct xarray *xa, struct new_nodes *nodes, unsigned int level, uint32_t idx, uint64_t low, uint64_t at_idx)
{
	uint32_t pfn = nodes->pfns[nodes->nr_used++];
	uint32_t first = level + 1 < XA_MAX_HEIGHT ? xa_span_first(level + 1, idx) : 0;
	uint64_t slots[XA_CHUNK_SIZE];

	for (unsigned int i = 0; i < XA_CHUNK_SIZE; i++) {
		/* Slots that the topmost level has too many of wrap round; nobody looks at them. */
		uint32_t at = first + (uint32_t)(i * xa_span(level));
		uint64_t slot =
			nodes->lost ? xa_lost_at(xa->place_key, level, at) : xa_hole_at(xa->place_key, level, at);

		if (i == 0 && low != 0)
			slot = low;
		if (at_idx != 0 && i == xa_slot_number(level, idx))
			slot = at_idx;
		slots[i] = htole64(slot);
	}
	xa_write_node(xa, pfn, slots);
	return xa_node_at(xa->place_key, level, first, pfn);
}

/* Write the nodes from the leaf for @idx up to one of @level.  Return: the slot that links that one. */
static uint64_t
write_path(struct xarray *xa, struct new_nodes *nodes, unsigned int level, uint32_t idx)
{
	uint64_t below = 0;

	for (unsigned int l = 0; l <= level; l++)
		below = write_node(xa, nodes, l, idx, 0, below);
	return below;
}

/*
 * The fence of A.1: durable before it is nothing of the change; a crash after
 * it finds pages that nothing refers to.
 */
static void
fence_nodes(struct xarray *xa, const struct new_nodes *nodes)
{
	xa_fence_nodes(xa);
	atomic_fetch_add_explicit(&xa->nr_nodes, nodes->nr, memory_order_relaxed);
}

/*
 * Replace a hole, which ended the way down to @idx, by a path to a leaf; or a
 * slot that says that all below is lost, by a path of nodes that say the same.
 */
static int
link_path(struct xarray *xa, const struct xa_descent *hole, uint32_t idx)
{
	pm_slot *slot = &hole->slots[xa_slot_number(hole->level, idx)];
	struct new_nodes nodes;
	uint64_t link;
	int ret;

	ret = take_nodes(xa, hole->level, &nodes);
	if (ret < 0)
		return ret;
	nodes.lost = xa_is_lost(xa, hole, idx);
	link = write_path(xa, &nodes, hole->level - 1, idx);
	fence_nodes(xa, &nodes);

	/*
	 * Publish.  Durable before: the new nodes, as a whole path.  A crash
	 * right after it leaves the hole or the path, which holds nothing (or
	 * says of nothing more that it is lost).
	 */
	xa_publish_link(xa, slot, link);
	return 0;
}

/* Make the tree, which is empty or too low, as high as @idx needs, with a leaf for it. */
static int
grow_root(struct xarray *xa, uint32_t idx)
{
	uint64_t old = atomic_load(&xa->root);
	unsigned int old_height = (unsigned int)(old >> 32), height = 1;
	struct new_nodes nodes;
	uint64_t root, path = 0;
	int ret;

	while (!xa_covers(height, idx))
		height++;
	/*
	 * An empty tree needs one path.  Else, the new root links the old one, by
	 * way of nodes with only a slot 0 where it is higher by more than one
	 * level, and a path to the leaf, which lies elsewhere.
	 */
	ret = take_nodes(xa, old_height == 0 ? height : height - old_height + height - 1, &nodes);
	if (ret < 0)
		return ret;
	if (old_height == 0) {
		root = write_path(xa, &nodes, height - 1, idx);
	} else {
		root = xa_node_at(xa->place_key, old_height - 1, 0, (uint32_t)old);
		for (unsigned int level = old_height; level < height - 1; level++)
			root = write_node(xa, &nodes, level, 0, root, 0);
		path = write_path(xa, &nodes, height - 2, idx);
		root = write_node(xa, &nodes, height - 1, idx, root, path);
	}
	fence_nodes(xa, &nodes);

	/*
	 * Publish.  Durable before: the new nodes.  A crash in it leaves the old
	 * root or the new one, which holds just the same.  set_root is durable
	 * when it returns, so nobody needs to wait for this link.
	 */
	ret = xa->ops->set_root(xa->memory, xa, root, height);
	if (ret < 0) {
		atomic_fetch_sub_explicit(&xa->nr_nodes, nodes.nr, memory_order_relaxed);
		while (nodes.nr > 0)
			xa->ops->free_node(xa->memory, nodes.pfns[--nodes.nr]);
		return ret;
	}
	atomic_store_explicit(&xa->root, xa_mk_root(xa_entry_payload(root), height), memory_order_release);
	return 0;
}

int
xa_make_leaf(struct xarray *xa, uint32_t idx, pm_slot **ret_leaf)
{
	struct xa_descent descent;
	int ret = xa_unshare(xa, idx, 1, 0);

	if (ret < 0)
		return ret;
	switch (xa_descend(xa, idx, &descent)) {
	case XA_END_LEAF:
		*ret_leaf = descent.slots;
		return 0;
	case XA_END_NOTHING:
		break;
	case XA_END_DAMAGE:
		if (!xa_is_lost(xa, &descent, idx))
			return -EIO;
		break;
	}
	ret = descent.slots ? link_path(xa, &descent, idx) : grow_root(xa, idx);
	if (ret < 0)
		return ret;
	/* What was just made may have gone bad already: the way down is checked like any other. */
	if (xa_descend(xa, idx, &descent) != XA_END_LEAF)
		return -EIO;
	*ret_leaf = descent.slots;
	return 0;
}
