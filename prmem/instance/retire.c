/* SPDX-License-Identifier: BSD-3-Clause */
/* Freeing what the entries of an instance referred to. */
#include "prmem/instance/retire.h"

#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/run_table.h"
#include "prmem/instance/instance_types.h"
#include "prmem/object/object.h"
#include "prmem/object/proof.h"

void
instance_retire_entry(struct prmem_instance *inst, xa_entry_t entry)
{
	struct object obj;

	if (entry == 0 || xa_is_err(entry) || xa_is_value(entry) || xa_entry_kind(entry) == XA_KIND_BAD)
		return;
	/* A slot may have been damaged since the mark: free nothing that cannot be an object. */
	if (xa_entry_kind(entry) == XA_KIND_PAGE) {
		uint32_t pfn = xa_entry_payload(entry);

		if (pool_page(inst->pool, pfn) == NULL || pool_is_fixed_page(inst->pool, pfn))
			return;
	} else if (object_of_slot(inst->pool, xa_entry_kind(entry), xa_entry_payload(entry), &obj) < 0) {
		return;
	}
	object_retire(inst->pool, entry);
}

void
instance_retire_pages(struct prmem_instance *inst, uint32_t idx, const xa_entry_t *entries, uint32_t nr)
{
	struct prmem_pool *pool = inst->pool;
	struct page_runs *runs = page_alloc_runs(pool->pages);
	uint32_t pfns[INSTANCE_RETIRE_MAX], nr_pfns = 0;

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t pfn = xa_entry_payload(entries[i]);

		if (!wary_may_free(inst->pool, &inst->xa, idx + i, entries[i]))
			continue;
		if (UNLIKELY(xa_entry_kind(entries[i]) != XA_KIND_PAGE)) {
			instance_retire_entry(inst, entries[i]);
		} else if (pool_page(pool, pfn) != NULL && !pool_is_fixed_page(pool, pfn)) {
			page_runs_remove(runs, pfn, 0);
			pfns[nr_pfns++] = pfn;
		}
	}
	page_retire_many(pool->pages, pfns, nr_pfns);
}

void
prmem_free_entry(struct prmem_instance *inst, xa_entry_t entry)
{
	instance_retire_entry(inst, entry);
}
