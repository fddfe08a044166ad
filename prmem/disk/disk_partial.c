/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changing a part of a page.
 *
 * Partial writers of one page take turns (a stripe's lock), so that they do
 * not waste each other's work; writers of the whole page take no lock, so the
 * new page is published only if the slot still is what was merged.
 */
#include "prmem/disk/disk_partial.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/crc32c.h"
#include "common/mix64.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_fill.h"
#include "prmem/core/guard.h"
#include "prmem/disk/disk_page.h"
#include "prmem/disk/disk_read.h"
#include "prmem/disk/disk_types.h"
#include "prmem/instance/instance_types.h"
#include "prmem/prmem.h"
#include "xarray/xa_rcu.h"

static pthread_mutex_t *
stripe_of(struct prmem_instance *inst, uint32_t idx)
{
	uint64_t hash = mix64(inst->xa.lineage ^ idx);

	return &inst->pool->stripes[hash % ARRAY_SIZE(inst->pool->stripes)].lock;
}

/* The page as it is now, and the entry it was copied by.  Context: read lock held, in a window. */
static int
load_page_locked(struct prmem_instance *inst, uint32_t idx, xa_entry_t *ret_old, char *ret_page)
{
	*ret_old = xa_load(&inst->xa, idx);
	if (atomic_load_explicit(&inst->removed, memory_order_relaxed))
		return -ESHUTDOWN;
	if (*ret_old != 0)
		return disk_copy_page(inst, idx, *ret_old, ret_page);
	memset(ret_page, 0, PRMEM_PAGE_SIZE);
	return 0;
}

static int
load_page(struct prmem_instance *inst, uint32_t idx, xa_entry_t *ret_old, char *ret_page)
{
	struct guard_window window;
	int r;

	xa_read_lock();
	if (GUARD_ENTER(&window, inst->pool) != 0) {
		xa_read_unlock();
		bad_page_note(inst->pool, window.pfn);
		return -EIO;
	}
	r = load_page_locked(inst, idx, ret_old, ret_page);
	guard_leave();
	xa_read_unlock();
	return r;
}

/* Is it all that a disk has of its last page?  Then nothing is lost when what was there is damaged. */
static bool
is_all_of_page(struct prmem_instance *inst, const struct disk_part *part)
{
	uint64_t end = ((uint64_t)part->idx << PRMEM_PAGE_SHIFT) + part->start + part->len_bytes;

	return part->start == 0 && end >= atomic_load_explicit(&inst->size_bytes, memory_order_relaxed);
}

int
disk_write_part(struct prmem_disk *disk, const struct disk_part *part, const void *buf)
{
	struct prmem_instance *inst = disk->inst;
	struct prmem_pool *pool = inst->pool;
	char page[PRMEM_PAGE_SIZE];
	struct disk_page taken_page = {0};
	bool taken = false;
	int r;

	LOCK_FOR_SCOPE(stripe_of(inst, part->idx));
	for (;;) {
		xa_entry_t old, new = 0, was;

		r = load_page(inst, part->idx, &old, page);
		if (r == -EIO && is_all_of_page(inst, part)) {
			memset(page, 0, sizeof page);
			if (buf != NULL)
				memcpy(page, buf, part->len_bytes);
			r = disk_write_page(inst, part->idx, page);
			break;
		}
		if (r < 0)
			break;
		if (buf == NULL)
			memset(page + part->start, 0, part->len_bytes);
		else
			memcpy(page + part->start, buf, part->len_bytes);
		if (!mem_is_zero(page, sizeof page)) {
			uint32_t crc;

			do {
				r = taken ? 0 : disk_take_page(inst, old, &taken_page);
				if (r < 0)
					break;
				r = page_fill(pool, taken_page.pfn, page, PM_SITE_PARTIAL_COPY);
				taken = r == 0;
			} while (r < 0);
			if (r < 0)
				break;
			page_prefetch_next(pool->pages);
			/* Behind the copy: its stores drain meanwhile. */
			crc = crc32c(xa_seed(&inst->xa, part->idx, XA_KIND_PAGE), page, sizeof page);
			pm_fence(pool->pm, PM_SITE_PARTIAL_FENCE);
			new = xa_mk_entry(XA_KIND_PAGE, taken_page.pfn, xa_proof_of_crc(crc));
		}
		/*
		 * The publishing store.  Durable before it: the merged page.
		 * A crash right after it leaves the old page or the new one.
		 */
		was = xa_cmpxchg(&inst->xa, part->idx, old, new);
		if (xa_is_err(was)) {
			r = xa_err(was);
			break;
		}
		if (was == old) {
			if (new != 0)
				taken = false;
			/* Another writer was quicker when it was taken; a page was there after all. */
			if (old != 0)
				disk_redeem_page(inst, &taken_page);
			disk_account(inst, part->idx, old, new);
			break;
		}
	}
	if (taken) {
		disk_redeem_page(inst, &taken_page);
		page_untake(pool->pages, &taken_page.pfn, 1);
	}
	return r;
}
