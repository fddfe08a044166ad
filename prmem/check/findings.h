/* SPDX-License-Identifier: BSD-3-Clause */
/* What a check finds: remembered, and reported when no lock is held. */
#ifndef PRMEM_FINDINGS_H
#define PRMEM_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"

struct check;
struct check_found;
struct prmem_check_args;
struct prmem_check_result;
struct prmem_error;
struct prmem_instance;
struct prmem_pool;

/* check_take_args() - the caller's arguments, or none.  Return: 0, -E2BIG, -EINVAL. */
MUST_CHECK int check_take_args(struct prmem_check_args *known, const struct prmem_check_args *args, size_t args_bytes,
			       struct prmem_error *err);

/* check_begin() - hold the instances that are to be looked at.  Return: 0, -ENOENT, -ENOMEM. */
MUST_CHECK int check_begin(struct check *c, struct prmem_pool *pool, const struct prmem_check_args *args,
			   struct prmem_check_result *result, struct prmem_error *err);
void check_end(struct check *c);

/* check_found() - remember a finding.  Context: any. */
void check_found(struct check *c, const struct check_found *found);

/* check_tell() - report what was found.  Context: no lock held. */
void check_tell(struct check *c);

/* check_hold() - look at an instance, too, that came to light meanwhile.  Return: 0, -ENOMEM. */
MUST_CHECK int check_hold(struct check *c, struct prmem_instance *inst);

/* check_copy_page() - copy a page of the pool that may be unreadable.  Return: false if it is. */
MUST_CHECK bool check_copy_page(struct prmem_pool *pool, uint32_t pfn, void *ret_page);

/* check_tick() - so many pages were looked at.  Context: no lock held.  Return: 0, -ECANCELED. */
MUST_CHECK int check_tick(struct check *c, uint64_t nr);

#endif
