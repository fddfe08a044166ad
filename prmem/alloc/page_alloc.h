/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which pages are free: a bitmap in RAM, made by the mark at open.
 *
 * Life of a page: take -> (published by a slot) -> retire -> grace period
 * (and, on page cache, a sync) -> free.  A page that was taken and not
 * published goes back by page_untake() at once.
 *
 * Each thread has a lane (a cache of free pages and a list of retired ones);
 * threads beyond NR_LANES share.  A number of pages is kept back: only a take
 * for replacing may have them.  Pages promised to reserved disks are counted,
 * not placed.
 *
 * Lock order: a lane's lock, then the bitmap's.  No other lock is taken with
 * these held.  No function here may be called under the read lock, but those
 * that say so.
 */
#ifndef PRMEM_PAGE_ALLOC_H
#define PRMEM_PAGE_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct prmem_pool;
struct page_alloc;

enum page_use {
	PAGE_USE_NEW,      /* leaves alone what is kept back and what is promised */
	PAGE_USE_PROMISED, /* draws on a promise: succeeds */
	PAGE_USE_REPLACE,  /* another page will be retired for it: may use all, waits for grace periods */
};

/*
 * page_alloc_create() - a bitmap with nothing marked but the pool's fixed
 * pages (superblocks, owner record, headers of regions) and what is no page.
 * The pool's regions and nr_pages are set.
 * Return: 0, -ENOMEM.
 */
MUST_CHECK int page_alloc_create(struct prmem_pool *pool, struct page_alloc **ret_alloc);
void page_alloc_destroy(struct page_alloc *alloc);

/*
 * page_mark() - mark a run of pages as reached; for the walk at open.
 * Context: any number of threads at once; no lock.
 * Return: true; false if one of them had been marked before (all of them are
 *   marked then), or lies beyond the pool (nothing is marked).
 */
bool page_mark(struct page_alloc *alloc, uint32_t pfn, uint32_t nr);

/*
 * page_mark_bits() - the same for any pages of the 64 from page @word * 64 on;
 * they lie in the pool.
 * Return: those of them that had been marked before.
 */
uint64_t page_mark_bits(struct page_alloc *alloc, uint32_t word, uint64_t mask);

/* page_mark_soon() - page_mark...() of this page will come. */
void page_mark_soon(struct page_alloc *alloc, uint32_t pfn);

/*
 * page_is_marked() - is a page in use, cached or retired, not free?
 * Context: any; under the read lock when the pool may grow.
 */
bool page_is_marked(struct page_alloc *alloc, uint32_t pfn);

/*
 * page_alloc_start() - the mark is complete: count, keep back, hand out.
 * Return: 0; -ENOSPC when a file system has no room for what is kept back
 *   (writing where nothing was will then fail, the rest works).
 */
int page_alloc_start(struct page_alloc *alloc);

/*
 * page_take() - take @nr pages, all or none; consecutive ones where it can.
 * Context: may sleep; not under the read lock.
 * Return: 0 and @nr page numbers; -ENOSPC; -EROFS; -EIO (a sync failed, or a
 *   file system could not give space).  On failure @ret_pfns holds anything.
 */
MUST_CHECK int page_take(struct page_alloc *alloc, enum page_use use, uint32_t nr, uint32_t *ret_pfns);

/* page_take_run() - take an aligned run of 2^@order pages, as PAGE_USE_NEW. */
MUST_CHECK int page_take_run(struct page_alloc *alloc, unsigned int order, uint32_t *ret_pfn);

/*
 * page_prefetch_next() - the first store to a page waits until its address is
 * translated: see to it for the page that this thread will most likely be
 * given next.  To be called when there is work to do meanwhile, and nothing
 * that waits for all that is before it, such as a lock or a fence, just behind.
 */
void page_prefetch_next(struct page_alloc *alloc);

/* page_untake() - give back pages that no slot ever pointed to. */
void page_untake(struct page_alloc *alloc, const uint32_t *pfns, uint32_t nr);

/*
 * page_retire() - the caller durably removed the last slot to these pages.
 * Readers may still hold them; borrowers (page_refs.h) may keep them.
 * Context: may sleep (a full list waits for a grace period; on page cache,
 *   when much waits for a sync, one is made); not under the read lock.
 */
void page_retire(struct page_alloc *alloc, uint32_t pfn, unsigned int order);

/* page_retire_many() - the same for single pages, @nr of them. */
void page_retire_many(struct page_alloc *alloc, const uint32_t *pfns, uint32_t nr);

/*
 * page_free_now() - free a run that no reader can hold any more.
 * Context: as page_retire().
 */
void page_free_now(struct page_alloc *alloc, uint32_t pfn, uint32_t nr);

/*
 * page_promise() - promise pages to a reserved disk; page_unpromise() takes
 * it back.  PAGE_USE_PROMISED uses up as many as it takes.  Their space is
 * taken from the file system at once.
 * Return: 0; -ENOSPC when they are not there; -EIO.
 */
MUST_CHECK int page_promise(struct page_alloc *alloc, uint64_t nr);
void page_unpromise(struct page_alloc *alloc, uint64_t nr);
/*
 * page_repromise() - a page of a reserved disk is about to be retired: it is
 * promised again.  Before page_retire(), so that nobody takes it in between.
 */
void page_repromise(struct page_alloc *alloc, uint64_t nr);

/*
 * page_reclaim() - wait for a grace period (and sync, on page cache) and free
 * what has been retired; afterwards the numbers below are exact if nobody
 * else writes.
 */
int page_reclaim(struct page_alloc *alloc);

/*
 * page_sync() - make the whole pool durable against the operating system, and
 * free what waited for that.  The body of prmem_sync().
 * Return: 0; -EIO for good once an msync failed.
 */
int page_sync(struct page_alloc *alloc);

/*
 * page_sync_needed() - the number of the first sync that makes durable what
 * has been written and retired before this call.
 * page_sync_done() - has it been done?  Always true on persistent memory.
 */
uint64_t page_sync_needed(struct page_alloc *alloc);
bool page_sync_done(struct page_alloc *alloc, uint64_t seq);

/*
 * Growing: page_grow_prepare() takes all the memory that is needed, so that
 * page_grow_commit() cannot fail.  @first_pfn: the first page that is new; it
 * is put aside as a fixed page (a header, or a gap between two mappings).
 * Context: one at a time; commit: the pool's regions and nr_pages are set;
 *   waits for a grace period.
 */
struct page_growth;
MUST_CHECK int page_grow_prepare(struct page_alloc *alloc, uint64_t nr_pages, struct page_growth **ret_growth);
void page_grow_cancel(struct page_growth *growth);
void page_grow_commit(struct page_alloc *alloc, struct page_growth *growth, uint32_t first_pfn);

/*
 * page_alloc_runs() - the runs that programs hold: page number -> order.
 * Context: any.
 */
struct page_runs;
struct page_runs *page_alloc_runs(struct page_alloc *alloc);

struct page_numbers {
	uint64_t nr_free;      /* retired ones included */
	uint64_t nr_kept_back;
	uint64_t nr_promised;
	uint64_t nr_bad;
};
void page_numbers(struct page_alloc *alloc, struct page_numbers *ret);

#endif
