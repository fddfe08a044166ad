/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects of programs: pages, runs and buffers, by address and by slot.
 */
#include <errno.h>

#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/run_table.h"
#include "prmem/core/pool.h"
#include "prmem/format/buffer_format.h"
#include "prmem/object/buffer.h"
#include "prmem/object/object.h"
#include "xarray/xa_internal.h"

static struct object
run_object(const struct prmem_pool *pool, uint32_t pfn, unsigned int order)
{
	return (struct object){
		.kind = order == 0 ? XA_KIND_PAGE : XA_KIND_RUN,
		.payload = order == 0 ? pfn : object_run_payload(pfn, order),
		.start = pool_page(pool, pfn),
		.len_bytes = (size_t)PRMEM_PAGE_SIZE << order,
	};
}

static struct object
buffer_object(const struct buffer_media *header, uint32_t payload, size_t len_bytes)
{
	return (struct object){
		.kind = XA_KIND_BUFFER,
		.payload = payload,
		.start = header,
		.len_bytes = sizeof *header + len_bytes,
	};
}

int
object_find(struct prmem_pool *pool, const void *addr, struct object *ret_object)
{
	uint32_t pfn, payload;
	unsigned int order;
	size_t len_bytes;

	if (!pool_pfn_of(pool, addr, &pfn))
		return -EINVAL;
	if (pool_page(pool, pfn) == addr) {
		if (!page_runs_find(page_alloc_runs(pool->pages), pfn, &order))
			return -EINVAL;
		*ret_object = run_object(pool, pfn, order);
		return 0;
	}
	if (buffer_find(pool->buffers, addr, &payload)) {
		const struct buffer_media *header = buffer_at(pool, payload, &len_bytes);

		if (header != NULL) {
			*ret_object = buffer_object(header, payload, len_bytes);
			return 0;
		}
	}
	return -EINVAL;
}

/* Does a run lie in one region, without superblocks and headers in it? */
static bool
run_is_sound(const struct prmem_pool *pool, uint32_t pfn, unsigned int order)
{
	static const uint32_t pfns[3] = {SB_PFN_A, SB_PFN_OWNER, SB_PFN_B};
	uint64_t end = (uint64_t)pfn + (UINT64_C(1) << order);
	const char *start = pool_page(pool, pfn), *last;

	if (order > PRMEM_ORDER_MAX || end > pool->nr_pages || start == NULL)
		return false;
	last = pool_page(pool, (uint32_t)(end - 1));
	if (last == NULL || last != start + (((UINT64_C(1) << order) - 1) << PRMEM_PAGE_SHIFT))
		return false;
	for (unsigned int i = 0; i < 3; i++) {
		if (pfns[i] >= pfn && pfns[i] < end && pool_is_fixed_page(pool, pfns[i]))
			return false;
	}
	for (unsigned int i = 1; i < pool->nr_regions; i++) {
		uint32_t first = pool->regions[i].start_pfn;

		if (first >= pfn && first < end)
			return false;
	}
	return true;
}

int
object_of_slot(struct prmem_pool *pool, enum xa_kind kind, uint32_t payload, struct object *ret_object)
{
	const struct buffer_media *header;
	size_t len_bytes;

	switch (kind) {
	case XA_KIND_PAGE:
		if (!run_is_sound(pool, payload, 0))
			return -EIO;
		*ret_object = run_object(pool, payload, 0);
		return 0;
	case XA_KIND_RUN:
		if (payload == 0 || !run_is_sound(pool, object_run_pfn(payload), object_run_order(payload)))
			return -EIO;
		*ret_object = run_object(pool, object_run_pfn(payload), object_run_order(payload));
		return 0;
	case XA_KIND_BUFFER:
		header = buffer_at(pool, payload, &len_bytes);
		if (header == NULL)
			return -EIO;
		*ret_object = buffer_object(header, payload, len_bytes);
		return 0;
	default:
		return -EIO;
	}
}

void
object_retire(struct prmem_pool *pool, xa_entry_t entry)
{
	uint32_t payload = xa_entry_payload(entry), pfn = payload;
	unsigned int order = 0;

	if (entry == 0 || xa_is_err(entry))
		return;
	switch (xa_entry_kind(entry)) {
	case XA_KIND_RUN:
		pfn = object_run_pfn(payload);
		order = object_run_order(payload);
		if (payload == 0 || !run_is_sound(pool, pfn, order))
			return;
		__attribute__((fallthrough));
	case XA_KIND_PAGE:
		page_runs_remove(page_alloc_runs(pool->pages), pfn, order);
		page_retire(pool->pages, pfn, order);
		break;
	case XA_KIND_BUFFER:
		buffer_retire(pool->buffers, payload);
		break;
	default:
		break;
	}
}

/* Whose memory is bad, of a run, is put aside; the others are free again. */
static bool
memory_is_sound(struct prmem_pool *pool, uint32_t pfn, unsigned int order)
{
	bool sound = true;

	for (uint32_t i = 0; i < UINT32_C(1) << order; i++)
		sound = bad_page_probe(pool, pfn + i) && sound;
	if (!sound)
		page_free_now(pool->pages, pfn, UINT32_C(1) << order);
	return sound;
}

int
prmem_alloc_pages(struct prmem_pool *pool, unsigned int order, void **ret_addr)
{
	uint32_t pfn;
	int r;

	do {
		r = page_take_run(pool->pages, order, &pfn);
		if (r < 0)
			return r;
	} while (!memory_is_sound(pool, pfn, order));
	r = page_runs_add(page_alloc_runs(pool->pages), pfn, order);
	if (r < 0) {
		page_free_now(pool->pages, pfn, UINT32_C(1) << order);
		return r;
	}
	*ret_addr = pool_page(pool, pfn);
	return 0;
}

void
prmem_free_pages(struct prmem_pool *pool, void *addr, unsigned int order)
{
	uint32_t pfn;

	if (addr == NULL || !pool_pfn_of(pool, addr, &pfn) || pool_page(pool, pfn) != addr)
		return;
	/* What was not handed out, or was freed already, is not freed here. */
	if (page_runs_remove(page_alloc_runs(pool->pages), pfn, order))
		page_free_now(pool->pages, pfn, UINT32_C(1) << order);
}

int
prmem_alloc(struct prmem_pool *pool, size_t len_bytes, void **ret_addr)
{
	uint32_t payload;
	int r = buffer_take(pool->buffers, len_bytes, &payload);

	if (r < 0)
		return r;
	*ret_addr = (char *)pool_page(pool, payload / BUFFER_GRANULES_PER_PAGE) +
		    payload % BUFFER_GRANULES_PER_PAGE * BUFFER_GRANULE_BYTES + sizeof(struct buffer_media);
	return 0;
}

void
prmem_free(struct prmem_pool *pool, void *addr)
{
	uint32_t payload;

	if (addr != NULL && buffer_find(pool->buffers, addr, &payload))
		buffer_untake(pool->buffers, payload);
}
