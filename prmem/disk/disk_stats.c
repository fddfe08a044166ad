/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics of a disk, and of all of a pool. */
#include <errno.h>

#include "common/cleanup.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/stats.h"
#include "prmem/memory/sized.h"

int
prmem_disk_stats(struct prmem_pool *pool, const char *name, struct prmem_stats *ret_stats, size_t stats_bytes)
{
	struct prmem_stats stats = {0};
	struct prmem_instance *inst;

	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	inst = instance_find_locked(pool->dir, PRMEM_SUBSYSTEM_RAMDISK, name);
	if (inst == NULL)
		return -ENOENT;
	stats_add_instance(&stats, inst);
	sized_fill(ret_stats, stats_bytes, &stats, sizeof stats);
	return 0;
}

void
prmem_pool_stats(struct prmem_pool *pool, struct prmem_stats *ret_stats, size_t stats_bytes)
{
	struct prmem_stats stats;

	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	stats = pool->gone_stats;
	for (struct prmem_instance *inst = pool->dir->first; inst != NULL; inst = inst->next)
		stats_add_instance(&stats, inst);
	sized_fill(ret_stats, stats_bytes, &stats, sizeof stats);
}
