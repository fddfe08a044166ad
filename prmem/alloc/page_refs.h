/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extra owners of a page, run or buffer, in RAM: slots that share it (counted
 * by the walk at open) and loans.  Most pages have one owner and no entry.
 *
 * A key is page number * 64, plus the granule for a buffer.
 */
#ifndef PRMEM_PAGE_REFS_H
#define PRMEM_PAGE_REFS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct page_refs;

MUST_CHECK int page_refs_create(struct page_refs **ret_refs);
void page_refs_destroy(struct page_refs *refs);

/*
 * page_refs_add() - one more owner.
 * Context: may be called under the read lock; takes a bucket's lock.
 * Return: 0, -ENOMEM.
 */
MUST_CHECK int page_refs_add(struct page_refs *refs, uint64_t key);

/*
 * page_refs_drop() - one owner less.
 * Return: true if that was the last owner: the caller frees; false if others
 *   are left.
 */
MUST_CHECK bool page_refs_drop(struct page_refs *refs, uint64_t key);

/* page_refs_none() - has no page at all an extra owner?  Then each drop is the last. */
bool page_refs_none(struct page_refs *refs);

/* page_refs_nr() - the number of extra owners of a key. */
uint32_t page_refs_nr(struct page_refs *refs, uint64_t key);

#endif
