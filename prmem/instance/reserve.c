/* SPDX-License-Identifier: BSD-3-Clause */
/* What a reserved disk is promised: how much it can need, and giving back what it did not. */
#include "prmem/instance/reserve.h"

#include "prmem/alloc/page_alloc.h"
#include "prmem/format/record_format.h"
#include "prmem/instance/instance_types.h"
#include "prmem/prmem.h"

uint64_t
instance_need_pages(uint64_t size_bytes)
{
	uint64_t nr = DIV_ROUND_UP(size_bytes, PRMEM_PAGE_SIZE), need = nr;

	/* Every level up to the root, once: an upper bound for any set of pages. */
	do {
		nr = DIV_ROUND_UP(nr, XA_CHUNK_SIZE);
		need += nr;
	} while (nr > 1);
	return need;
}

uint64_t
instance_still_needed(const struct prmem_instance *inst, uint64_t size_bytes)
{
	uint64_t need = instance_need_pages(size_bytes);
	uint64_t have = atomic_load(&inst->nr_entries) + atomic_load(&inst->xa.nr_nodes);
	uint64_t last = DIV_ROUND_UP(size_bytes, PRMEM_PAGE_SIZE) - 1;
	unsigned int height = xa_height(&inst->xa);

	/* The index of a disk that was larger is taller than this size needs; what it has above counts for nothing. */
	while (height > 1 && xa_covers(height - 1, (uint32_t)last)) {
		need++;
		height--;
	}
	return need > have ? need - have : 0;
}

void
instance_repromise(struct prmem_instance *inst, uint32_t nr)
{
	if (UNLIKELY((atomic_load_explicit(&inst->flags, memory_order_relaxed) & RECORD_FLAG_RESERVE) != 0) &&
	    !atomic_load(&inst->removed)) {
		page_repromise(inst->pool->pages, nr);
		atomic_fetch_add(&inst->promised, nr);
	}
}
