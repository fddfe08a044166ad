/* SPDX-License-Identifier: BSD-3-Clause */
/* Pages whose memory went bad: they are put aside, and not handed out again. */
#ifndef PRMEM_BAD_PAGE_H
#define PRMEM_BAD_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct page_alloc;
struct prmem_pool;

/*
 * bad_page_note() - put a page aside: it is not handed out any more.
 * Context: not under the read lock; takes the allocator's locks.
 */
void bad_page_note(struct prmem_pool *pool, uint32_t pfn);

/*
 * bad_page_probe() - is a page sound that was taken, and that others will
 * write who know of no window (prmem/core/guard.h): a node, a buffer, a run?  The
 * page may be a hole of a file, with no space left behind it.
 * One that is not is put aside: take another one.
 * Context: as bad_page_note().  Persistence: changes nothing.
 */
MUST_CHECK bool bad_page_probe(struct prmem_pool *pool, uint32_t pfn);

/*
 * page_set_bad() - never hand out a page again (in this process; the caller
 * makes it last).
 * Context: any time, also under the read lock.
 */
void page_set_bad(struct page_alloc *alloc, uint32_t pfn);

/*
 * page_nr_bad_outside() - how many bad pages have no bit in a bitmap of
 * @nr_words words of 64 pages.
 */
uint64_t page_nr_bad_outside(struct page_alloc *alloc, const uint64_t *bits, uint64_t nr_words);

#endif
