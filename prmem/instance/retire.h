/* SPDX-License-Identifier: BSD-3-Clause */
/* Freeing what the entries of an instance referred to. */
#ifndef PRMEM_RETIRE_H
#define PRMEM_RETIRE_H

#include <stdint.h>

#include "xarray/xarray.h"

struct prmem_instance;

/*
 * instance_retire_entry() - free what an entry of the instance's array (or
 * its data slot) referred to; what cannot be right is left alone.
 */
void instance_retire_entry(struct prmem_instance *inst, xa_entry_t entry);

/*
 * instance_retire_pages() - the same for entries at consecutive indices, most
 * of which are pages; 0 is skipped.
 * @nr: INSTANCE_RETIRE_MAX at most
 */
#define INSTANCE_RETIRE_MAX 256u
void instance_retire_pages(struct prmem_instance *inst, uint32_t idx, const xa_entry_t *entries, uint32_t nr);

#endif
