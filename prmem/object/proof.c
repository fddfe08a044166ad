/* SPDX-License-Identifier: BSD-3-Clause */
/* See proof.h. */
#include "prmem/object/proof.h"

#include "common/crc32c.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/core/guard.h"
#include "prmem/object/object.h"

/* Pages that stay free, beyond what is kept back and promised. */
#define LEFT_FREE_PAGES 64u

/* Return: false also when it cannot be read. */
static bool
is_proved(struct prmem_pool *pool, const struct xarray *xa, uint32_t idx, xa_entry_t entry, const struct object *obj)
{
	struct guard_window window;
	uint32_t crc;

	if (GUARD_ENTER(&window, pool) != 0) {
		guard_leave();
		bad_page_note(pool, window.pfn);
		return false;
	}
	guard_at(obj->kind == XA_KIND_PAGE ? obj->payload : 0);
	crc = crc32c(xa_seed(xa, idx, obj->kind), obj->start, obj->len_bytes);
	guard_leave();
	return xa_proof_of_crc(crc) == xa_entry_proof(entry);
}

bool
wary_look(struct prmem_pool *pool, const struct xarray *xa, uint32_t idx, xa_entry_t entry)
{
	struct page_numbers numbers;
	struct object obj;

	if (entry == 0 || xa_is_err(entry) ||
	    (xa_entry_kind(entry) != XA_KIND_PAGE && xa_entry_kind(entry) != XA_KIND_RUN))
		return true; /* there is nothing to free, or it proves itself: a buffer has a header */
	if (object_of_slot(pool, xa_entry_kind(entry), xa_entry_payload(entry), &obj) < 0)
		return true; /* nothing is freed then */
	if (is_proved(pool, xa, idx, entry, &obj))
		return true;
	page_numbers(pool->pages, &numbers);
	if (numbers.nr_free < numbers.nr_kept_back + numbers.nr_promised + LEFT_FREE_PAGES)
		return true;
	atomic_fetch_add(&pool->nr_put_aside, obj.len_bytes / PRMEM_PAGE_SIZE);
	return false;
}
