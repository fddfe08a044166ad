/* SPDX-License-Identifier: BSD-3-Clause */
#include "prmem/instance/bad_list.h"

#include "common/cleanup.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/instance/instance.h"

static void
save_noted(struct prmem_pool *pool, struct prmem_instance *list)
{
	uint32_t noted = atomic_exchange(&pool->bad.nr, 0), nr = MIN(noted, BAD_PAGES_QUEUE);
	uint32_t pfns[BAD_PAGES_QUEUE];

	/* All of them first: to store one may note another, at the head of the queue. */
	for (uint32_t i = 0; i < nr; i++)
		pfns[i] = atomic_exchange(&pool->bad.pfn[i], 0);
	for (uint32_t i = 0; i < nr; i++) {
		if (pfns[i] != 0 && xa_is_err(xa_store(&list->xa, pfns[i], xa_mk_value(1))))
			break;
	}
}

void
bad_pages_save(struct prmem_pool *pool)
{
	struct prmem_instance *list;

	if (LIKELY(atomic_load_explicit(&pool->bad.nr, memory_order_relaxed) == 0) || pool_is_read_only(pool))
		return;
	/* A list that cannot be written changes nothing for this request: the pages are put aside in RAM. */
	if (prmem_get(pool, BAD_PAGES_SUBSYSTEM, BAD_PAGES_NAME, PRMEM_CREATE, &list, NULL) < 0)
		return;
	/* The list itself takes pages, and may meet more that are bad. */
	for (int round = 0; round < 4 && atomic_load(&pool->bad.nr) > 0; round++)
		save_noted(pool, list);
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
