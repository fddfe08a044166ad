/* SPDX-License-Identifier: BSD-3-Clause */
/* Ending what a crash interrupted, when a pool is opened. */
#include "prmem/pool/recover.h"

#include "prmem/alloc/page_alloc.h"
#include "prmem/core/notice.h"
#include "prmem/disk/disk_remove.h"
#include "prmem/disk/disk_replace.h"
#include "prmem/disk/disk_resize.h"
#include "prmem/instance/instance_types.h"
#include "prmem/instance/reserve.h"

/*
 * What is promised to reserved disks counts from the first page that is
 * handed out.  It was there when it was promised, so it is there now; only
 * pages that went bad since can be missing.
 */
static void
promise_again(struct directory *dir)
{
	struct prmem_pool *pool = dir->pool;

	for (struct prmem_instance *inst = dir->first; inst != NULL; inst = inst->next) {
		uint64_t open, promised;

		if ((le32_to_cpu(inst->rec.flags) & RECORD_FLAG_RESERVE) == 0 || atomic_load(&inst->removed))
			continue;
		open = instance_still_needed(inst, le64_to_cpu(inst->rec.size_bytes));
		/* What was erased behind its end was promised to it right then. */
		promised = (uint64_t)atomic_load(&inst->promised);
		page_unpromise(pool->pages, promised);
		atomic_store(&inst->promised, 0);
		if (page_promise(pool->pages, open) < 0) {
			struct page_numbers numbers;
			uint64_t taken;

			page_numbers(pool->pages, &numbers);
			taken = numbers.nr_kept_back + numbers.nr_promised;
			pool_notice(pool, "pool %s: disk %s: not all of what is reserved for it is there any more",
				    pool->path, inst->rec.name);
			open = numbers.nr_free > taken ? MIN(open, numbers.nr_free - taken) : 0;
			if (page_promise(pool->pages, open) < 0)
				continue;
		}
		atomic_store(&inst->promised, (int64_t)open);
	}
}

int
pool_recover(struct prmem_pool *pool)
{
	int r = 0;

	for (struct prmem_instance *inst = pool->dir->first, *next; inst != NULL; inst = next) {
		next = inst->next;
		if (atomic_load(&inst->removed) && !pool_is_read_only(pool)) {
			int e = instance_finish_removal(inst);

			r = r < 0 ? r : e;
		}
	}
	for (struct prmem_instance *inst = pool->dir->first; inst != NULL && r == 0; inst = inst->next) {
		/* Behind the removals: until then it says which one is gone. */
		if ((le32_to_cpu(inst->rec.flags) & RECORD_FLAG_REPLACES) != 0 && !pool_is_read_only(pool))
			r = instance_finish_replacing(inst);
	}
	for (struct prmem_instance *inst = pool->dir->first; inst != NULL; inst = inst->next) {
		if (inst->behind_end && !pool_is_read_only(pool)) {
			int e = disk_cut_off(inst, le64_to_cpu(inst->rec.size_bytes));

			inst->behind_end = false;
			r = r < 0 ? r : e;
		}
	}
	promise_again(pool->dir);
	return r;
}
