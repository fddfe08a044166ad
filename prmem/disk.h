/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pram disks: what their files share.
 */
#ifndef PRMEM_DISK_H
#define PRMEM_DISK_H

#include <errno.h>

#include "prmem/bad_pages.h"
#include "prmem/disk_types.h"
#include "prmem/instance_types.h"
#include "prmem/low_space.h"
#include "prmem/stats.h"

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
 * disk_copy_page() - copy a page and check the copy against its entry.
 * Context: read lock held.
 * Return: 0, -EIO.
 */
MUST_CHECK int disk_copy_page(struct prmem_instance *inst, uint32_t idx, xa_entry_t entry, void *ret_page);

/*
 * disk_write_part() - change a part of a page: a new page with the rest of
 * the old one.  @buf NULL stands for zeroes.
 * Context: takes the page's stripe; may wait for a grace period.
 * Persistence: durable on return; old or new after a crash.
 * Return: as prmem_disk_write().
 */
MUST_CHECK int disk_write_part(struct prmem_disk *disk, const struct disk_part *part, const void *buf);

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
