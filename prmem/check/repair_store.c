/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing a word of a pool that is repaired, and remembering what was done. */
#include "prmem/check/repair_store.h"

#include "prmem/check/check_types.h"
#include "prmem/check/findings.h"
#include "prmem/check/repair_types.h"
#include "prmem/core/pool.h"

bool
repair_store(struct repair *r, uint32_t pfn, pm_slot *word, uint64_t value)
{
	struct pm *pm = r->pool->pm;
	uint64_t off = ((uint64_t)pfn << PRMEM_PAGE_SHIFT) + ((uintptr_t)word & (PRMEM_PAGE_SIZE - 1));
	uint64_t old = atomic_load(word);

	if (r->error < 0)
		return false;
	if (r->c->args->keep != NULL)
		r->error = r->c->args->keep(r->c->args->opaque, off, &old, sizeof old);
	if (r->error < 0)
		return false;
	/* Publish.  Durable before: all earlier ones.  A crash right after it leaves the damaged word or the new one.
	 */
	pm_store(pm, word, htole64(value), PM_SITE_REPAIR_STORE);
	pm_flush(pm, word, sizeof *word, PM_SITE_REPAIR_FLUSH);
	pm_fence(pm, PM_SITE_REPAIR_FENCE);
	return true;
}

void
repair_found(struct repair *r, enum prmem_finding_kind kind, uint64_t idx, uint64_t nr, bool repaired, const char *text)
{
	const struct check_found found = {kind, r->inst, idx, nr, repaired, text};

	if (!repaired)
		r->c->result->nr_lost += nr;
	check_found(r->c, &found);
}
