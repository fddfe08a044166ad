/* SPDX-License-Identifier: BSD-3-Clause */
/* Copying to a page that was taken. */
#include "prmem/alloc/page_fill.h"

#include <errno.h>

#include "prmem/alloc/bad_page.h"
#include "prmem/core/guard.h"
#include "prmem/core/pool.h"

int
page_fill(struct prmem_pool *pool, uint32_t pfn, const void *src, enum pm_site site)
{
	struct guard_window window;

	if (GUARD_ENTER(&window, pool) != 0) {
		bad_page_note(pool, window.pfn);
		return -EIO;
	}
	guard_at(pfn);
	pm_copy(pool->pm, pool_page(pool, pfn), src, PRMEM_PAGE_SIZE, site);
	guard_leave();
	return 0;
}
