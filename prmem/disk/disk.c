/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pram disks: opening and closing them, what they are, what a request may touch.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "prmem/disk/disk.h"
#include "prmem/instance/instance.h"
#include "prmem/memory/error.h"

int
prmem_disk_open(struct prmem_pool *pool, const char *name, struct prmem_disk **ret_disk, struct prmem_error *err)
{
	CLEANUP_FREE struct prmem_disk *disk = calloc(1, sizeof *disk);
	int r;

	if (disk == NULL)
		return error_set(err, -ENOMEM, "disk %s: out of memory", name);
	r = prmem_get(pool, PRMEM_SUBSYSTEM_RAMDISK, name, 0, &disk->inst, err);
	if (r < 0)
		return r;
	stats_attach(disk->inst);
	disk->size_bytes = atomic_load(&disk->inst->size_bytes);
	disk->read_only = (atomic_load(&disk->inst->flags) & RECORD_FLAG_READ_ONLY) != 0;
	*ret_disk = disk;
	disk = NULL;
	return 0;
}

void
disk_abandon(struct prmem_instance *inst)
{
	struct prmem_pool *pool = inst->pool;

	{
		LOCK_FOR_SCOPE(&pool->dir->inst_lock);
		inst->nr_handles--;
		/* What cannot be removed now is removed by the next writable open. */
		if (pool_is_read_only(pool) || instance_remove_locked(inst, NULL) < 0)
			instance_put_locked(inst);
	}
	pool_watch_space(pool);
}

void
prmem_disk_close(struct prmem_disk *disk)
{
	if (disk == NULL)
		return;
	if (instance_is_hidden(disk->inst))
		disk_abandon(disk->inst);
	else
		prmem_put(disk->inst);
	free(disk);
}

uint64_t
prmem_disk_size(struct prmem_disk *disk)
{
	return disk->size_bytes;
}

bool
prmem_disk_is_read_only(struct prmem_disk *disk)
{
	return disk->read_only || pool_is_read_only(disk->inst->pool);
}

void
prmem_disk_info(struct prmem_disk *disk, struct prmem_instance_info *ret_info, size_t info_bytes)
{
	prmem_instance_info(disk->inst, ret_info, info_bytes);
}

int
disk_check_range(const struct prmem_disk *disk, uint64_t len_bytes, uint64_t off)
{
	uint64_t size_bytes = atomic_load_explicit(&disk->inst->size_bytes, memory_order_relaxed);

	if (UNLIKELY(atomic_load_explicit(&disk->inst->removed, memory_order_relaxed)))
		return -ESHUTDOWN;
	/* A disk that was shrunk ends sooner for those who opened it before. */
	size_bytes = MIN(size_bytes, disk->size_bytes);
	if (UNLIKELY(off > size_bytes || len_bytes > size_bytes - off))
		return -EINVAL;
	return 0;
}

int
disk_check_write(const struct prmem_disk *disk, uint64_t len_bytes, uint64_t off)
{
	if (UNLIKELY(disk->read_only))
		return -EPERM;
	if (UNLIKELY(pool_is_read_only(disk->inst->pool)))
		return -EROFS;
	return disk_check_range(disk, len_bytes, off);
}
