/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making an empty pool.  Only the two superblocks are written: which pages are
 * free is not on media, so there is nothing else to prepare, and what the
 * memory held before is out of reach.
 *
 * What a crash leaves, step by step, when the memory held ...
 *
 *	                     nothing       foreign       a pool
 *	before 1             blank         foreign       the pool
 *	after 1, A marked    interrupted   interrupted   the pool, by B (interrupted if B was damaged)
 *	after 2, A wiped     interrupted   interrupted   the same
 *	in 3, B new          interrupted,  interrupted,  the pool or interrupted,
 *	                     or new pool   or new pool   or new pool
 *	after 3              new pool      new pool      new pool
 *	in 4, A new          new pool      new pool      new pool, by B
 *	after 4              new pool      new pool      new pool
 *
 * A is wiped for step 4, and for the repair that takes its place after a
 * crash: written over an old superblock, a copy of which only the magic became
 * durable would bring the old one to life again, CRC and all, beside the new
 * one.  B needs no such care: if the old B comes to life so, A is no more than
 * a mark, and the rest of the old pool is as it was.
 */
#include "prmem/memory/superblock_create.h"

#include <string.h>

#include "prmem/memory/superblock.h"
#include "xarray/xarray_format.h"

void
sb_make(struct sb_media *ret_sb, uint64_t len_bytes, const uint8_t uuid[16], uint64_t created_s, const char *label)
{
	uint64_t nr_pages = MIN(len_bytes, PRMEM_POOL_SIZE_MAX) >> PRMEM_PAGE_SHIFT;

	memset(ret_sb, 0, sizeof *ret_sb);
	ret_sb->magic = cpu_to_le64(SB_MAGIC);
	ret_sb->version = cpu_to_le32(SB_VERSION);
	ret_sb->chunk_shift = cpu_to_le32(XA_CHUNK_SHIFT);
	memcpy(ret_sb->uuid, uuid, sizeof ret_sb->uuid);
	ret_sb->seq = cpu_to_le64(1);
	ret_sb->created_s = cpu_to_le64(created_s);
	ret_sb->nr_pages = cpu_to_le64(nr_pages);
	ret_sb->nr_regions = cpu_to_le32(1);
	ret_sb->regions[0].nr_pages = cpu_to_le64(nr_pages);
	if (label != NULL)
		memcpy(ret_sb->label, label, strnlen(label, sizeof ret_sb->label - 1));
	ret_sb->crc = cpu_to_le32(sb_crc(ret_sb));
}

void
sb_format(struct pm *pm, struct sb_media *ret_sb, const uint8_t uuid[16], uint64_t created_s, const char *label)
{
	struct sb_media sb, mark;
	char *a = (char *)pm->base + ((uint64_t)SB_PFN_A << PRMEM_PAGE_SHIFT);

	sb_make(&sb, pm->len_bytes, uuid, created_s, label);
	memset(&mark, 0, sizeof mark);
	mark.magic = cpu_to_le64(SB_MAGIC_FORMATTING);

	/* 1. Durable before: all that was there.  A crash behind it leaves a format that was begun. */
	pm_store(pm, (pm_slot *)(void *)a, mark.magic.le, PM_SITE_FORMAT_MARK_STORE);
	pm_flush(pm, a, sizeof(pm_slot), PM_SITE_FORMAT_MARK_FLUSH);
	pm_fence(pm, PM_SITE_FORMAT_MARK_FENCE);
	/*
	 * Page cache is written back in any order, so a sync has to follow.
	 * One that fails ends it here, and the caller's own sync fails then
	 * too (pm_libpmem.h).
	 */
	if (!pm->is_pmem && pm_sync(pm) < 0)
		return;

	/*
	 * 2. Durable before: the mark, which the wipe writes once more, so that A
	 * is a mark at any moment.  The wipe has a fence of its own: with A only
	 * half wiped behind a new B, the open after a crash would repair A from B,
	 * and a crash in that could bring the old A to life beside the new B.
	 */
	pm_copy(pm, a, &mark, sizeof mark, PM_SITE_FORMAT_WIPE_COPY);
	pm_fence(pm, PM_SITE_FORMAT_WIPE_FENCE);
	if (!pm->is_pmem && pm_sync(pm) < 0)
		return;

	/* 3. and 4. Durable before: A, wiped. */
	(void)sb_write_both(pm, &sb); /* as above */

	if (ret_sb != NULL)
		*ret_sb = sb;
}
