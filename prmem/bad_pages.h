/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pages whose memory went bad.  They are put aside for good: the instance
 * "bad-pages" of the subsystem "prmem" has a value at each one's number.
 */
#ifndef PRMEM_BAD_PAGES_H
#define PRMEM_BAD_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct prmem_pool;

#define BAD_PAGES_SUBSYSTEM "prmem"
#define BAD_PAGES_NAME "bad-pages"

/*
 * bad_page_note() - put a page aside: it is not handed out any more.
 * Context: not under the read lock; takes the allocator's locks.
 */
void bad_page_note(struct prmem_pool *pool, uint32_t pfn);

/*
 * bad_page_probe() - is a page sound that was taken, and that others will
 * write who know of no window (prmem/guard.h): a node, a buffer, a run?  The
 * page may be a hole of a file, with no space left behind it.
 * One that is not is put aside: take another one.
 * Context: as bad_page_note().  Persistence: changes nothing.
 */
MUST_CHECK bool bad_page_probe(struct prmem_pool *pool, uint32_t pfn);

/*
 * bad_pages_save() - make what was noted last beyond this process.  Cheap
 * when there is nothing.
 * Context: no lock held; takes the instance lock.
 */
void bad_pages_save(struct prmem_pool *pool);

/* bad_pages_load() - put aside what earlier runs noted.  Context: open. */
void bad_pages_load(struct prmem_pool *pool);

#endif
