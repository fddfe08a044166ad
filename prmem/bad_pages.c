/* SPDX-License-Identifier: BSD-3-Clause */
#include "prmem/bad_pages.h"

#include "common/cleanup.h"
#include "prmem/instance.h"

void
bad_page_note(struct prmem_pool *pool, uint32_t pfn)
{
	uint32_t i;

	if (pool_is_fixed_page(pool, pfn) || pool_page(pool, pfn) == NULL)
		return;
	page_set_bad(pool->pages, pfn);
	i = atomic_fetch_add(&pool->bad.nr, 1);
	if (i < BAD_PAGES_QUEUE)
		atomic_store(&pool->bad.pfn[i], pfn);
	pool_notice(pool, "pool %s: page %u cannot be read (bad memory); it is put aside, and what it held is lost",
		    pool->path, pfn);
}

void
bad_pages_save(struct prmem_pool *pool)
{
	struct prmem_instance *list;
	uint32_t nr;

	if (LIKELY(atomic_load_explicit(&pool->bad.nr, memory_order_relaxed) == 0) || pool_is_read_only(pool))
		return;
	/* A list that cannot be written changes nothing for this request: the pages are put aside in RAM. */
	if (prmem_get(pool, BAD_PAGES_SUBSYSTEM, BAD_PAGES_NAME, PRMEM_CREATE, &list, NULL) < 0)
		return;
	nr = atomic_exchange(&pool->bad.nr, 0);
	for (uint32_t i = 0; i < nr && i < BAD_PAGES_QUEUE; i++) {
		uint32_t pfn = atomic_exchange(&pool->bad.pfn[i], 0);

		if (pfn != 0 && xa_is_err(xa_store(&list->xa, pfn, xa_mk_value(1))))
			break;
	}
	prmem_put(list);
}

void
bad_pages_load(struct prmem_pool *pool)
{
	struct prmem_instance *list;
	xa_entry_t entry;
	uint32_t pfn;

	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	list = instance_find_locked(pool->dir, BAD_PAGES_SUBSYSTEM, BAD_PAGES_NAME);
	if (list == NULL)
		return;
	xa_for_each(&list->xa, pfn, entry) {
		if (xa_is_value(entry) && pool_page(pool, pfn) != NULL && !pool_is_fixed_page(pool, pfn))
			page_set_bad(pool->pages, pfn);
	}
}
