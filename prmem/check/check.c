/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checking a pool: what is wrong in it, told to the caller.
 *
 * It works while others change the pool.  What is looked at in one read lock
 * is consistent: a page that is named by a slot is neither freed nor reused
 * before the lock ends.  What is seen at different times is not compared, or
 * looked at once more (check_structure.c).
 */
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/check/check_scrub.h"
#include "prmem/check/check_structure.h"
#include "prmem/check/check_types.h"
#include "prmem/check/findings.h"
#include "prmem/core/pool.h"
#include "prmem/memory/error.h"
#include "prmem/memory/region_file.h"
#include "prmem/memory/sized.h"
#include "prmem/memory/superblock.h"

/* ---- superblocks ---- */

static void
check_header(struct check *c, const struct pool_region *region)
{
	struct region_media header;
	const struct check_found found = {.kind = PRMEM_FOUND_SUPERBLOCK,
					  .idx = region->start_pfn,
					  .nr = 1,
					  .text = "the header of an added region is damaged"};

	if (region->pm == NULL || !region->has_header)
		return;
	if (!check_copy_page(c->pool, region->start_pfn, &header) || !region_header_is_valid(&header) ||
	    le64_to_cpu(header.start_pfn) != region->start_pfn)
		check_found(c, &found);
}

static void
check_superblocks(struct check *c)
{
	static const char *const texts[2] = {"superblock A (page 0) is damaged", "superblock B (page 32) is damaged"};
	static const char *const behind[2] = {
		"superblock A (page 0) is behind the other one, as a crash leaves it; whoever opens the pool for "
		"writing next writes it anew",
		"superblock B (page 32) is behind the other one, as a crash leaves it; whoever opens the pool for "
		"writing next writes it anew"};
	static const uint32_t pfns[2] = {SB_PFN_A, SB_PFN_B};
	struct prmem_pool *pool = c->pool;

	for (unsigned int i = 0; i < 2; i++) {
		struct check_found found = {.kind = PRMEM_FOUND_SUPERBLOCK, .idx = pfns[i], .nr = 1, .text = texts[i]};
		struct sb_media sb;
		bool readable;

		LOCK_FOR_SCOPE(&pool->sb_lock);
		readable = check_copy_page(pool, pfns[i], &sb);
		if (readable && memcmp(&sb, &pool->sb, sizeof sb) == 0)
			continue;
		if (readable && sb_is_behind(&sb, &pool->sb)) {
			found.kind = PRMEM_FOUND_BEHIND;
			found.text = behind[i];
		}
		check_found(c, &found);
	}
	for (unsigned int i = 1; i < atomic_load(&pool->nr_regions); i++)
		check_header(c, &pool->regions[i]);
}

/* ---- all of it ---- */

/* Pages that are neither reached nor free, nor anything else that is known. */
static uint64_t
count_leaked(struct check *c)
{
	struct prmem_pool *pool = c->pool;
	struct page_numbers numbers;
	uint64_t nr_regions = atomic_load(&pool->nr_regions), known;

	page_numbers(pool->pages, &numbers);
	known = c->result->nr_pages + numbers.nr_free + page_nr_bad_outside(pool->pages, c->reached, c->nr_words);
	known += 3 + nr_regions - 1 + atomic_load(&pool->nr_put_aside);
	return pool->nr_pages > known ? pool->nr_pages - known : 0;
}

static void
count_reached(struct check *c)
{
	for (uint64_t w = 0; w < c->nr_words; w++)
		c->result->nr_pages += (uint64_t)__builtin_popcountll(c->reached[w] | c->buffers[w]);
}

static int
check_all(struct check *c)
{
	int r;

	if (c->reached != NULL)
		check_superblocks(c);
	r = check_structure(c);
	if (r == 0 && c->reached != NULL) {
		count_reached(c);
		c->result->nr_leaked = count_leaked(c);
	}
	if (r == 0 && (c->args->flags & PRMEM_CHECK_SCRUB) != 0)
		r = check_scrub(c);
	check_tell(c);
	return r;
}

int
prmem_check(struct prmem_pool *pool, const struct prmem_check_args *args, size_t args_bytes,
	    struct prmem_check_result *ret_result, size_t result_bytes, struct prmem_error *err)
{
	struct prmem_check_args known;
	struct prmem_check_result result;
	struct check c;
	int r = check_take_args(&known, args, args_bytes, err);

	if (r == 0)
		r = check_begin(&c, pool, &known, &result, err);
	if (r < 0)
		return r;
	r = check_all(&c);
	check_end(&c);
	if (r < 0)
		return error_set(err, r, "pool %.200s: the check was ended: %s", pool->path,
				 r == -ECANCELED ? "it was interrupted" : strerror(-r));
	sized_fill(ret_result, result_bytes, &result, sizeof result);
	return 0;
}
