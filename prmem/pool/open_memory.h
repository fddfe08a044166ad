/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening a pool from mapped memory on, under a lock.
 */
#ifndef PRMEM_OPEN_MEMORY_H
#define PRMEM_OPEN_MEMORY_H

#include "prmem/core/pool.h"

struct backing;
struct owner_lock;

/*
 * pool_open_locked() - pool_open_pm() with what protects the memory.
 * @lock: whose owner record is to be written; NULL for none
 * @backing: what is searched for other content before it is formatted; NULL
 *   for nothing: superblocks of zeroes are enough
 * Takes over @pm and @lock on success only.
 */
MUST_CHECK int pool_open_locked(struct pm *pm, struct owner_lock *lock, const struct backing *backing,
				const struct prmem_open_args *args, struct prmem_pool **ret_pool,
				struct prmem_error *err);

/*
 * pool_open_pm() - the inner half of prmem_open(): from mapped memory on.
 * Both libpmem's mapping and the simulated memory of the tests come here.
 * Takes over @pm on success only.
 */
MUST_CHECK int pool_open_pm(struct pm *pm, const struct prmem_open_args *args, struct prmem_pool **ret_pool,
			    struct prmem_error *err);

#endif
