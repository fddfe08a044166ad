/* SPDX-License-Identifier: BSD-3-Clause */
/* One page of a disk: taking it, its entry, accounting for it. */
#ifndef PRMEM_DISK_PAGE_H
#define PRMEM_DISK_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "xarray/xarray.h"

struct prmem_instance;

/*
 * disk_write_page() - write one whole page, whatever is there.
 * Context: no stripe is needed.  Persistence: durable on return.
 * Return: 0, -ENOSPC, -EIO.
 */
MUST_CHECK int disk_write_page(struct prmem_instance *inst, uint32_t idx, const void *buf);

/* A page that was taken for an index; 0 before. */
struct disk_page {
	uint32_t pfn;
	bool promised; /* it was drawn from the disk's promise, for an index where nothing was */
};

/*
 * disk_take_page() - a page to put at an index.
 * @old: what is there; decides whether what is kept back may be used
 * @page: 0, or an earlier one that turned out to be bad
 */
MUST_CHECK int disk_take_page(struct prmem_instance *inst, xa_entry_t old, struct disk_page *page);

/*
 * disk_redeem_page() - the page fills no empty index after all: what was drawn
 * for it is promised to the disk again.  Before the page is given back, if it
 * is, so that nobody takes it in between.
 */
void disk_redeem_page(struct prmem_instance *inst, struct disk_page *page);

/* disk_page_entry() - the entry at an index of a page with a content. */
xa_entry_t disk_page_entry(const struct prmem_instance *inst, uint32_t idx, uint32_t pfn, const void *content);

/*
 * disk_account() - an index went from one entry to another: counts, and
 * frees what was there.  Context: the exchange is durable.
 */
void disk_account(struct prmem_instance *inst, uint32_t idx, xa_entry_t old, xa_entry_t new);

#endif
