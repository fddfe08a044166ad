/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing the superblock of an open pool. */
#include "prmem/alloc/sb_publish.h"

#include "prmem/alloc/page_alloc.h"
#include "prmem/core/pool.h"
#include "prmem/memory/superblock.h"

void
pool_write_sb(struct prmem_pool *pool, struct sb_media *sb)
{
	/* That sync fails at once, and draws the consequence. */
	if (sb_write(pool->pm, sb) < 0)
		(void)!page_sync(pool->pages);
}
