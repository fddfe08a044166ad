/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pages whose memory went bad.  They are put aside for good: the instance
 * "bad-pages" of the subsystem "prmem" has a value at each one's number.
 */
#ifndef PRMEM_BAD_LIST_H
#define PRMEM_BAD_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct prmem_pool;

#define BAD_PAGES_SUBSYSTEM "prmem"
#define BAD_PAGES_NAME "bad-pages"

/*
 * bad_pages_save() - make what was noted last beyond this process.  Cheap
 * when there is nothing.
 * Context: no lock held; takes the instance lock.
 */
void bad_pages_save(struct prmem_pool *pool);

/* bad_pages_load() - put aside what earlier runs noted.  Context: open. */
void bad_pages_load(struct prmem_pool *pool);

#endif
