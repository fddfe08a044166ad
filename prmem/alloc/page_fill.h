/* SPDX-License-Identifier: BSD-3-Clause */
/* Copying to a page that was taken. */
#ifndef PRMEM_PAGE_FILL_H
#define PRMEM_PAGE_FILL_H

#include <stdint.h>

#include "common/compiler.h"
#include "common/pm.h"

struct prmem_pool;

/*
 * page_fill() - copy @src to a page that was taken.
 * Persistence: durable after this thread's next fence.
 * Return: 0; -EIO when its memory is bad: it has been put aside, take another.
 */
MUST_CHECK int page_fill(struct prmem_pool *pool, uint32_t pfn, const void *src, enum pm_site site);

#endif
