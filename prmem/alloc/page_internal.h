/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page allocator's own structures.  page_alloc.h is what others see.
 *
 * Accounting and placing are two things.  A take first claims a number of
 * pages from the account (page_account.c), which is where policy lives, and
 * then collects that many page numbers from wherever they are: the thread's
 * lane, the bitmap, other lanes, lists of retired pages.  The invariant:
 *
 *	pages that can be collected, now or after a grace period and a sync
 *		>= account's free + claims not yet collected - shortfall
 *
 * So a collector that finds nothing has only to look again, unless there is a
 * shortfall: pages that were counted and turned out not to be there (a loan
 * keeps them, they are bad).  It is then its claim that fails.
 *
 * A file may be thin.  Pages come in units of 64 (a word of the bitmap); a
 * unit is ready once the file system has promised the space.  Only pages of
 * ready units are in the account and are handed out; the free pages of other
 * units are counted in nr_unready (page_ready.c).
 *
 * Lock order:
 *	1. sync_lock
 *	2. ready_lock
 *	3. reclaim_lock
 *	4. a lane's lock; never two
 *	5. bitmap_lock
 * wait_lock and the run table's lock are taken with none or any of these held
 * and nothing is taken inside them; a bucket's lock of page_refs likewise.
 */
#ifndef PRMEM_PAGE_INTERNAL_H
#define PRMEM_PAGE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/run_table.h"
#include "prmem/format/superblock_format.h"

#define NR_LANES 64u
#define UNIT_SHIFT 6
#define UNIT_PAGES 64u
#define GROUP_WORDS 8u /* 512 pages: 2 MiB */
#define GROUP_PAGES (GROUP_WORDS * UNIT_PAGES)
#define LANE_BATCH_MAX 64u
/*
 * Half of it is freed at once, behind one grace period.  That takes 10 ms when a
 * reader has lost its CPU: it must not come often.
 */
#define LANE_RETIRED_MAX 8192u
#define LANE_RETIRED_MIN 16u
#define NO_PFN UINT32_MAX

struct retired {
	uint32_t pfn;
	uint32_t order;
};

/* What one thread, or a few, take from and give back to. */
struct lane {
	pthread_mutex_t lock;
	uint32_t nr_cached;
	uint32_t nr_retired;
	uint32_t *cache;         /* a stack of free pages, 2 * batch at most */
	struct retired *retired; /* in the order they came, retired_max at most */
	uint32_t cursor;         /* the group it takes from; under bitmap_lock */
} __attribute__((aligned(128)));

struct waiting_run {
	uint32_t pfn;
	uint32_t nr;
};

/* Pages that wait for a sync, in the order they were let go. */
struct waiting {
	struct waiting_run *runs; /* waiting_max and WAITING_SPARE of them */
	_Atomic uint32_t nr_runs;
	uint64_t nr_pages;
};

/* A set that is not full has room for all runs of pages that there can be in a word. */
#define WAITING_SPARE (UNIT_PAGES / 2)

struct page_alloc {
	struct prmem_pool *pool;
	_Atomic uint64_t nr_pages;
	uint32_t nr_words;  /* whole groups */
	uint32_t nr_groups;
	uint32_t batch;       /* pages a lane fetches at once */
	uint32_t retired_max; /* entries of a lane's list */
	uint64_t kept_back;
	bool started; /* the mark is complete; under bitmap_lock */
	uint64_t patience_ns; /* how long a claim that must succeed waits for others */
	bool page_cache; /* retired pages wait for a sync too */

	/* The account: free pages of ready units below, promised ones above. */
	_Alignas(128) _Atomic uint64_t account;
	_Atomic uint64_t shortfall;
	_Atomic uint32_t nr_waiting;
	pthread_mutex_t wait_lock;
	pthread_cond_t wait_cond;

	/* The bitmap: a page's bit is set when it is in use, cached or retired. */
	_Alignas(128) pthread_mutex_t bitmap_lock;
	_Atomic uint64_t *_Atomic words; /* changes when the pool grows */
	uint16_t *group_free;  /* free pages in ready units of a group */
	uint8_t *ready;        /* ready units of a group */
	uint8_t *was_used;     /* units that are not ready, and had pages that were given back */
	uint64_t nr_bitmap_free; /* the sum of group_free */
	uint32_t run_cursor;
	uint32_t *bad; /* sorted */
	uint32_t nr_bad_max;
	_Atomic uint32_t nr_bad;
	uint32_t fixed[3 + SB_MAX_REGIONS];
	unsigned int nr_fixed;
	struct waiting waiting[2];
	_Atomic uint32_t waiting_max; /* with so many runs a set is full; with half of them it is time for a sync */
	atomic_uint since;            /* which of them collects; the other is being synced */
	_Atomic uint64_t nr_unsynced; /* in both */

	_Alignas(128) pthread_mutex_t ready_lock;
	_Atomic uint64_t nr_unready;
	_Atomic uint64_t ready_seq; /* changes when units became ready */
	uint32_t ready_cursor;      /* under ready_lock, as all below */
	uint32_t step_units;
	atomic_bool maybe_used; /* a unit that is not ready may have had, or have, pages in use */

	pthread_mutex_t reclaim_lock;
	_Atomic uint64_t reclaim_seq; /* changes when a reclaim ended */

	pthread_mutex_t sync_lock;
	_Atomic uint64_t sync_started;
	_Atomic uint64_t sync_completed;
	atomic_bool sync_failed; /* for good */

	struct page_runs runs;
	struct lane lanes[NR_LANES];
};

/* ---- page_account.c ---- */

static inline uint64_t
account_free(uint64_t account)
{
	return (uint32_t)account;
}

static inline uint64_t
account_promised(uint64_t account)
{
	return account >> 32;
}

MUST_CHECK int account_init(struct page_alloc *alloc);
void account_fini(struct page_alloc *alloc);

/* account_add() - so many more pages are free; also gives a claim back. */
void account_add(struct page_alloc *alloc, uint64_t nr);

/* account_lose() - so many pages that were counted are not there. */
void account_lose(struct page_alloc *alloc, uint64_t nr);

/* account_absorb() - let up to @nr claimed pages pay for a shortfall.  Return: how many did. */
uint64_t account_absorb(struct page_alloc *alloc, uint64_t nr);

static inline uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- page_claim.c ---- */

/*
 * account_claim() - claim pages, making more ready and waiting as @use says.
 * @ret_drawn: how many of them were promised
 * Return: 0, -ENOSPC, -EROFS, -EIO.
 */
MUST_CHECK int account_claim(struct page_alloc *alloc, enum page_use use, uint64_t nr, uint64_t *ret_drawn);

/* ---- page_bitmap.c: all with bitmap_lock held ---- */

static inline uint64_t
bitmap_word(const struct page_alloc *alloc, uint32_t w)
{
	return atomic_load_explicit(&alloc->words[w], memory_order_relaxed);
}

static inline bool
unit_is_ready(const struct page_alloc *alloc, uint32_t w)
{
	return alloc->ready[w / GROUP_WORDS] >> (w % GROUP_WORDS) & 1;
}

/* The bits of word @w that belong to the pages [pfn, end). */
static inline uint64_t
word_mask(uint32_t w, uint64_t pfn, uint64_t end)
{
	uint64_t first = (uint64_t)w << UNIT_SHIFT, mask = ~UINT64_C(0);

	if (pfn > first)
		mask &= ~UINT64_C(0) << (pfn - first);
	if (end < first + UNIT_PAGES)
		mask &= ~UINT64_C(0) >> (first + UNIT_PAGES - end);
	return mask;
}

/* Take up to @nr pages, consecutive ones where it can.  Return: how many. */
uint32_t bitmap_take_locked(struct page_alloc *alloc, uint32_t *cursor, uint32_t nr, uint32_t *pfns);

/* The same, whatever comes first: for pages that will be used one by one. */
uint32_t bitmap_take_any_locked(struct page_alloc *alloc, uint32_t *cursor, uint32_t nr, uint32_t *pfns);

/*
 * Free pages of a word that the account counts.  Those that are free already,
 * bad, fixed, or in a unit that is not ready are lost to the account.
 */
void bitmap_put_word_locked(struct page_alloc *alloc, uint32_t w, uint64_t mask);

static inline void
bitmap_put_locked(struct page_alloc *alloc, uint32_t pfn)
{
	bitmap_put_word_locked(alloc, pfn >> UNIT_SHIFT, UINT64_C(1) << (pfn % UNIT_PAGES));
}

void bitmap_put_range_locked(struct page_alloc *alloc, uint32_t pfn, uint32_t nr);

/* Is a page on the list of bad ones? */
bool bitmap_is_bad_locked(const struct page_alloc *alloc, uint32_t pfn);

/* ---- page_lane.c ---- */

MUST_CHECK int lanes_init(struct page_alloc *alloc);
void lanes_fini(struct page_alloc *alloc);
struct lane *lane_mine(struct page_alloc *alloc);
/* Take up to @nr pages that the lane has. */
uint32_t lane_pop(struct lane *lane, uint32_t nr, uint32_t *pfns);
/* Take @nr pages from the bitmap, and a few more for the lane.  Return: how many of the @nr. */
uint32_t lane_refill(struct page_alloc *alloc, struct lane *lane, uint32_t nr, uint32_t *pfns);
/* Put free pages that the account counts back: into the lane, or the bitmap. */
void lane_put(struct page_alloc *alloc, struct lane *lane, const uint32_t *pfns, uint32_t nr);
/* Take up to @nr pages from any lane. */
uint32_t lanes_steal(struct page_alloc *alloc, uint32_t nr, uint32_t *pfns);
/* Move all that the lanes have cached to the bitmap. */
void lanes_drain(struct page_alloc *alloc);

/* ---- page_reclaim.c ---- */

/*
 * reclaim_lanes() - wait for a grace period and free what the lanes' lists
 * held before (on page cache: let it wait for a sync).
 * Return: true if there was anything, or another thread just did it.
 */
bool reclaim_lanes(struct page_alloc *alloc);

/*
 * reclaim_for_room() - reclaim and, where pages wait for a sync, sync; or, as
 * long as few wait, make about @nr more pages ready: a sync takes long.
 * @seq: ready_seq as it was before nothing was found
 * Return: 1 if pages may have come, 0 if not, -EIO.
 */
int reclaim_for_room(struct page_alloc *alloc, uint32_t nr, uint64_t seq);

/* ---- page_sync.c ---- */

MUST_CHECK int sync_init(struct page_alloc *alloc);
void sync_fini(struct page_alloc *alloc);

/* How many runs of pages may wait in a pool of this size, and memory for so many, or NULL. */
uint32_t sync_waiting_max(uint64_t nr_pages);
struct waiting_run *sync_new_runs(uint32_t max);

/*
 * sync_is_full() - must pages stay where they are until a sync makes room?
 * Never on persistent memory, nor after a sync that failed: none will come.
 * Context: any; may change at once without bitmap_lock.
 */
bool sync_is_full(const struct page_alloc *alloc);

/*
 * Let pages that the account counts wait for the next sync; sync_is_full() is
 * false.  Those that are free, and those for which there is no room after all,
 * are lost to the account.  With bitmap_lock held.
 */
void sync_wait_for_locked(struct page_alloc *alloc, uint32_t pfn, uint32_t nr);
void sync_wait_for_word_locked(struct page_alloc *alloc, uint32_t w, uint64_t mask);

/*
 * sync_make_room() - sync if it is time to.
 * @must: if another thread is at it, and there is no room, wait
 * Context: no lock of the allocator; may sleep.
 */
void sync_make_room(struct page_alloc *alloc, bool must);

/* ---- page_ready.c ---- */

/*
 * ready_more() - make about @nr more pages ready; they are in the account then.
 * @seq: ready_seq as it was before the account was found wanting
 * Return: 0 if there may be more than before; -ENOSPC; -EIO.
 */
MUST_CHECK int ready_more(struct page_alloc *alloc, uint64_t nr, uint64_t seq);

/* ready_range() - make the units of a range ready, all or none.  Return: as above. */
MUST_CHECK int ready_range(struct page_alloc *alloc, uint32_t pfn, uint32_t nr);

#endif
