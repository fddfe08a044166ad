/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pram disks: what their files share.
 */
#ifndef PRMEM_DISK_H
#define PRMEM_DISK_H

#include <errno.h>

#include "prmem/alloc/low_space.h"
#include "prmem/disk/disk_types.h"
#include "prmem/instance/bad_list.h"
#include "prmem/instance/instance_types.h"
#include "prmem/instance/stats.h"

/* disk_abandon() - give back the only handle of a disk that was not finished: it goes.  Context: takes inst_lock. */
void disk_abandon(struct prmem_instance *inst);

/*
 * disk_check_range() - may a request touch this range?
 * Return: 0, -EINVAL, -ESHUTDOWN.
 */
MUST_CHECK int disk_check_range(const struct prmem_disk *disk, uint64_t len_bytes, uint64_t off);

/* disk_check_write() - the same for a request that changes something: also -EPERM, -EROFS. */
MUST_CHECK int disk_check_write(const struct prmem_disk *disk, uint64_t len_bytes, uint64_t off);

/*
 * disk_result() - what a request that changed something may answer: not
 * success when memory was lost under it.
 */
static inline MUST_CHECK int
disk_result(struct prmem_disk *disk, int r)
{
	struct prmem_pool *pool = disk->inst->pool;

	bad_pages_save(pool);
	pool_watch_space(pool);
	if (UNLIKELY(r == -ENXIO))
		return -ESHUTDOWN;
	if (UNLIKELY(r == 0 && atomic_load_explicit(&pool->lost_memory, memory_order_relaxed)))
		return -EIO;
	return r;
}

/* disk_stats_begin() - a request begins: to be followed by stats_end(). */
static inline struct stats_request
disk_stats_begin(struct prmem_disk *disk, enum stats_op op, uint64_t len_bytes)
{
	return stats_begin(atomic_load_explicit(&disk->inst->stats, memory_order_relaxed), op, len_bytes);
}

#endif
