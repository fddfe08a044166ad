/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the arrays of the engine get their memory: pages of the pool, and a root in
 * the instance's record; for the directory, in the superblock.
 */
#include "prmem/instance/instance_memory.h"

#include <errno.h>

#include "common/cleanup.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/sb_publish.h"
#include "prmem/instance/instance_types.h"
#include "prmem/instance/record.h"
#include "prmem/instance/reserve.h"
#include "prmem/instance/retire.h"
#include "prmem/object/object.h"
#include "prmem/object/proof.h"

static void *
map_node(struct prmem_pool *pool, uint32_t pfn)
{
	return pool_is_fixed_page(pool, pfn) ? NULL : pool_page(pool, pfn);
}

static void *
directory_map(void *memory, uint32_t pfn)
{
	return map_node(((struct directory *)memory)->pool, pfn);
}

static int
directory_alloc_node(void *memory, uint32_t *ret_pfn)
{
	struct prmem_pool *pool = ((struct directory *)memory)->pool;
	int r;

	do {
		r = pool_is_read_only(pool) ? -EROFS : page_take(pool->pages, PAGE_USE_NEW, 1, ret_pfn);
	} while (r == 0 && !bad_page_probe(pool, *ret_pfn));
	return r;
}

static void
directory_free_node(void *memory, uint32_t pfn)
{
	page_retire(((struct directory *)memory)->pool->pages, pfn, 0);
}

static void
directory_free_entry(void *memory, uint32_t number, xa_entry_t entry)
{
	(void)number;
	object_retire(((struct directory *)memory)->pool, entry);
}

static int
directory_set_root(void *memory, struct xarray *xa, uint64_t root, unsigned int height)
{
	struct prmem_pool *pool = ((struct directory *)memory)->pool;
	struct sb_media sb;

	(void)xa;
	if (pool_is_read_only(pool))
		return -EROFS;
	LOCK_FOR_SCOPE(&pool->sb_lock);
	sb = pool->sb;
	sb.dir_root = cpu_to_le64(root);
	sb.dir_height = cpu_to_le32(height);
	pool_write_sb(pool, &sb);
	pool->sb = sb;
	return 0;
}

const struct xa_memory_ops directory_memory_ops = {
	.map = directory_map,
	.alloc_node = directory_alloc_node,
	.free_node = directory_free_node,
	.free_entry = directory_free_entry,
	.set_root = directory_set_root,
};

static void *
instance_map(void *memory, uint32_t pfn)
{
	return map_node(((struct prmem_instance *)memory)->pool, pfn);
}

static int
instance_alloc_node(void *memory, uint32_t *ret_pfn)
{
	struct prmem_instance *inst = memory;
	struct prmem_pool *pool = inst->pool;

	for (;;) {
		bool promised = false;
		int r = 0;

		if (pool_is_read_only(pool))
			return -EROFS;
		if (atomic_fetch_sub(&inst->promised, 1) > 0)
			promised = page_take(pool->pages, PAGE_USE_PROMISED, 1, ret_pfn) == 0;
		if (!promised) {
			atomic_fetch_add(&inst->promised, 1);
			r = page_take(pool->pages, PAGE_USE_NEW, 1, ret_pfn);
		}
		if (r < 0 || bad_page_probe(pool, *ret_pfn))
			return r;
		if (promised)
			instance_repromise(inst, 1);
	}
}

static void
instance_free_node(void *memory, uint32_t pfn)
{
	struct prmem_instance *inst = memory;

	page_retire(inst->pool->pages, pfn, 0);
	instance_repromise(inst, 1);
}

static void
instance_free_entry(void *memory, uint32_t idx, xa_entry_t entry)
{
	struct prmem_instance *inst = memory;

	/* What is lost holds no page. */
	if (xa_entry_kind(entry) == XA_KIND_BAD)
		return;
	atomic_fetch_sub_explicit(&inst->nr_entries, 1, memory_order_relaxed);
	if (wary_may_free(inst->pool, &inst->xa, idx, entry))
		instance_retire_entry(inst, entry);
	instance_repromise(inst, 1);
}

static int
instance_set_root(void *memory, struct xarray *xa, uint64_t root, unsigned int height)
{
	struct prmem_instance *inst = memory;
	struct record_media rec;

	(void)xa;
	LOCK_FOR_SCOPE(&inst->pool->dir->rec_lock);
	rec = inst->rec;
	rec.root = cpu_to_le64(root);
	rec.height = cpu_to_le32(height);
	return instance_publish(inst, &rec);
}

const struct xa_memory_ops instance_memory_ops = {
	.map = instance_map,
	.alloc_node = instance_alloc_node,
	.free_node = instance_free_node,
	.free_entry = instance_free_entry,
	.set_root = instance_set_root,
};
