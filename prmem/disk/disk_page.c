/* SPDX-License-Identifier: BSD-3-Clause */
/* One page of a disk: taking it, its entry, accounting for it. */
#include "prmem/disk/disk_page.h"

#include "common/crc32c.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_fill.h"
#include "prmem/instance/instance_types.h"
#include "prmem/instance/reserve.h"
#include "prmem/instance/retire.h"
#include "prmem/object/proof.h"

void
disk_redeem_page(struct prmem_instance *inst, struct disk_page *page)
{
	if (UNLIKELY(page->promised))
		instance_repromise(inst, 1);
	page->promised = false;
}

int
disk_take_page(struct prmem_instance *inst, xa_entry_t old, struct disk_page *page)
{
	struct page_alloc *pages = inst->pool->pages;

	disk_redeem_page(inst, page);
	if (old != 0)
		return page_take(pages, PAGE_USE_REPLACE, 1, &page->pfn);
	if (UNLIKELY(atomic_load_explicit(&inst->promised, memory_order_relaxed) > 0)) {
		if (atomic_fetch_sub(&inst->promised, 1) > 0 &&
		    page_take(pages, PAGE_USE_PROMISED, 1, &page->pfn) == 0) {
			page->promised = true;
			return 0;
		}
		atomic_fetch_add(&inst->promised, 1);
	}
	return page_take(pages, PAGE_USE_NEW, 1, &page->pfn);
}

void
disk_account(struct prmem_instance *inst, uint32_t idx, xa_entry_t old, xa_entry_t new)
{
	/* What is lost holds no page. */
	if (UNLIKELY(old != 0 && xa_entry_kind(old) == XA_KIND_BAD))
		old = 0;
	if (old == 0 && new != 0)
		atomic_fetch_add_explicit(&inst->nr_entries, 1, memory_order_relaxed);
	if (old == 0)
		return;
	if (new == 0) {
		atomic_fetch_sub_explicit(&inst->nr_entries, 1, memory_order_relaxed);
		instance_repromise(inst, 1);
	}
	if (wary_may_free(inst->pool, &inst->xa, idx, old))
		instance_retire_entry(inst, old);
}

xa_entry_t
disk_page_entry(const struct prmem_instance *inst, uint32_t idx, uint32_t pfn, const void *content)
{
	uint32_t crc = crc32c(xa_seed(&inst->xa, idx, XA_KIND_PAGE), content, PRMEM_PAGE_SIZE);

	return xa_mk_entry(XA_KIND_PAGE, pfn, xa_proof_of_crc(crc));
}

int
disk_write_page(struct prmem_instance *inst, uint32_t idx, const void *buf)
{
	struct prmem_pool *pool = inst->pool;
	xa_entry_t old = xa_load(&inst->xa, idx), new = 0;
	struct disk_page page = {0};
	int64_t n;

	if (!mem_is_zero(buf, PRMEM_PAGE_SIZE)) {
		int r;

		do {
			r = disk_take_page(inst, old, &page);
			if (r < 0)
				return r;
			r = page_fill(pool, page.pfn, buf, PM_SITE_SINGLE_COPY);
		} while (r < 0);
		page_prefetch_next(pool->pages);
		new = disk_page_entry(inst, idx, page.pfn, buf);
		pm_fence(pool->pm, PM_SITE_SINGLE_FENCE);
	}
	n = xa_exchange(&inst->xa, idx, 1, &new, &old);
	/* Where another writer was quicker, a page was there after all. */
	if (n < 0 || old != 0)
		disk_redeem_page(inst, &page);
	if (n < 0) {
		if (new != 0)
			page_untake(pool->pages, &page.pfn, 1);
		return (int)n;
	}
	disk_account(inst, idx, old, new);
	return 0;
}
