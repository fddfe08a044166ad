/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the XArray asks of the memory it lives in.  The engine gives it pages
 * of a pool; the tests give it a simulated memory.  Not installed.
 */
#ifndef PRMEM_XA_MEMORY_H
#define PRMEM_XA_MEMORY_H

#include "common/pm.h"
#include "xarray/xarray.h"

struct xa_memory_ops {
	/*
	 * The address of a page.
	 * Context: any; under the read lock.  Return: NULL for a page number
	 * that cannot hold a node (beyond the pool, or reserved).
	 */
	void *(*map)(void *memory, uint32_t pfn);

	/*
	 * Take a page for a node.  Content: anything.
	 * Context: the array's lock held, not under the read lock; may wait
	 * for a grace period.  Return: 0, -ENOSPC, -EROFS.
	 */
	int (*alloc_node)(void *memory, uint32_t *ret_pfn);

	/*
	 * Give back a node that nothing durable points to any more.  Readers
	 * may still hold it: it is reused only after a grace period.
	 */
	void (*free_node)(void *memory, uint32_t pfn);

	/* The same for an entry that was erased by a range erase. */
	void (*free_entry)(void *memory, uint32_t idx, xa_entry_t entry);

	/*
	 * Publish a new root: a node slot (as media has it) and the height of
	 * the tree under it, or a root of 0 for an empty tree of height 0.
	 * Context: the array's lock held.
	 * Persistence: durable on return, old or new after a crash.
	 * Return: 0, -ENOSPC, -EROFS, -EIO.
	 */
	int (*set_root)(void *memory, struct xarray *xa, uint64_t root, unsigned int height);

	/*
	 * Around every change of which nodes there are, the array's lock
	 * included; or NULL.  Calls may be nested: set_root may change another
	 * array of the same memory.
	 */
	void (*begin_change)(void *memory);
	void (*end_change)(void *memory);

	/*
	 * Nodes that others need as they are: another array that began as a
	 * copy of this one, or what a sync made durable.  Asked of arrays of
	 * which xa_may_share() was said; may be NULL for all others.
	 *
	 * is_shared() - must a node be copied before one of its slots changes?
	 * Context: entered (the read lock or the array's lock).  The answer may
	 *   turn from no to yes only when nobody is inside begin_change() and
	 *   end_change(), and a grace period passes before anybody is again.
	 */
	bool (*is_shared)(void *memory, uint32_t pfn);

	/*
	 * add_owners() - a node was copied.  If others still have it, what its
	 * @nr slots (as media has them, of @level) name has one owner more.
	 * Context: as alloc_node.
	 * Return: 1; 0 if nobody else has the node any more: what it names goes
	 *   over to the copy; -ENOMEM.
	 */
	int (*add_owners)(void *memory, uint32_t pfn, unsigned int level, const uint64_t *slots, unsigned int nr);

	/*
	 * leave_node() - the array has put a copy in the place of a node that
	 * others had.  After a grace period, and before the array goes,
	 * xa_drop_left_node() is to be called.
	 * Context: the array's lock held.
	 */
	void (*leave_node)(void *memory, uint32_t pfn, unsigned int level, uint32_t first);

	/* drop_owner() - this array does not link a node any more.  Return: true if nobody does: it is given back. */
	bool (*drop_owner)(void *memory, uint32_t pfn);
};

/*
 * xa_init() - make an array usable.
 * @xa: memory for it (struct xarray is in xa_internal.h)
 * @ops, @memory: the memory it lives in
 * @pm: the persistence primitives of that memory
 * @lineage: a number that this array and what is cloned from it has, and no
 *   other array: every proof on media depends on it
 * @root, @height: the root slot as media has it and the height; 0, 0 for an
 *   empty array
 *
 * Return: 0, -EINVAL when @height is beyond XA_MAX_HEIGHT, -EIO when the root
 *   slot does not prove itself or names a page that cannot be a node (the
 *   array then answers -EIO to everything, and can be destroyed), -ENOMEM.
 */
MUST_CHECK int xa_init(struct xarray *xa, const struct xa_memory_ops *ops, void *memory, struct pm *pm,
		       uint64_t lineage, uint64_t root, unsigned int height);

/* xa_fini() - release what xa_init() took in RAM; media is not touched. */
void xa_fini(struct xarray *xa);

/*
 * xa_free_all() - give back, by free_entry and free_node, everything an array
 * that nothing durable points to any more holds.  Writes nothing to media.
 * Context: nobody else uses the array.
 */
void xa_free_all(struct xarray *xa);

#endif
