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
