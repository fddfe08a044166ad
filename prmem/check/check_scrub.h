/* SPDX-License-Identifier: BSD-3-Clause */
/* Checking content. */
#ifndef PRMEM_CHECK_SCRUB_H
#define PRMEM_CHECK_SCRUB_H

#include <stdint.h>

#include "common/compiler.h"
#include "xarray/xarray.h"

struct check;
struct prmem_instance;

/* check_scrub() - all content.  Return: 0, -ECANCELED. */
MUST_CHECK int check_scrub(struct check *c);

/*
 * check_content() - does what an entry refers to match its proof?
 * Context: no lock held.
 * Return: 1 if it does; 0 if the index holds something else by now; -EIO; or
 *   -EFAULT when the memory cannot be read.
 */
MUST_CHECK int check_content(struct prmem_instance *inst, uint32_t idx, xa_entry_t entry, uint64_t *ret_bytes);

/* check_data() - the same for an instance's data; 1 also where there is none.  Context: inst_lock. */
MUST_CHECK int check_data(struct prmem_instance *inst);

#endif
