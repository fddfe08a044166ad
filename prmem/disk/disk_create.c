/* SPDX-License-Identifier: BSD-3-Clause */
/* Making a disk. */
#include "prmem/disk/disk_create.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/record.h"
#include "prmem/instance/reserve.h"
#include "prmem/memory/error.h"
#include "prmem/memory/sized.h"

int
disk_create_locked(struct prmem_pool *pool, const struct prmem_disk_args *args, uint32_t flags,
		   struct prmem_instance **ret_inst, struct prmem_error *err)
{
	struct directory *dir = pool->dir;
	struct record_media rec = {0};
	struct prmem_instance *inst;
	uint64_t need = 0;
	int r;

	if (!name_is_valid(args->name))
		return error_set(err, -EINVAL,
				 "\"%s\" is not a valid name: use 1 to %d printable characters without '/', '@' and space",
				 args->name, PRMEM_NAME_MAX);
	if (args->size_bytes == 0 || args->size_bytes > PRMEM_DISK_SIZE_MAX)
		return error_set(err, -EINVAL, "disk %s: a size of %llu bytes is not possible: use 1 to 16T",
				 args->name, (unsigned long long)args->size_bytes);
	if (args->description != NULL && strlen(args->description) > PRMEM_DESCRIPTION_MAX)
		return error_set(err, -EINVAL, "disk %s: the description is longer than %d characters", args->name,
				 PRMEM_DESCRIPTION_MAX);
	flags |= args->read_only ? RECORD_FLAG_READ_ONLY : 0;
	flags |= args->reserve ? RECORD_FLAG_RESERVE : 0;
	strcpy(rec.subsystem, PRMEM_SUBSYSTEM_RAMDISK);
	strcpy(rec.name, args->name);
	if (args->description != NULL)
		strcpy(rec.description, args->description);
	rec.size_bytes = cpu_to_le64(args->size_bytes);
	rec.flags = cpu_to_le32(flags);

	if ((flags & RECORD_FLAG_UNFINISHED) == 0 &&
	    instance_find_locked(dir, PRMEM_SUBSYSTEM_RAMDISK, args->name) != NULL)
		return error_set(err, -EEXIST, "pool %s: disk %s exists already", pool->path, args->name);
	if (args->reserve) {
		need = instance_need_pages(args->size_bytes);
		if (page_promise(pool->pages, need) < 0)
			return error_set(err, -ENOSPC,
					 "disk %s: the pool cannot reserve %llu pages; make the disk smaller, or free some",
					 args->name, (unsigned long long)need);
	}
	r = instance_create_locked(dir, &rec, &inst, err);
	if (r < 0) {
		if (args->reserve)
			page_unpromise(pool->pages, need);
		return r;
	}
	atomic_store(&inst->promised, (int64_t)need);
	*ret_inst = inst;
	return 0;
}

int
prmem_disk_create(struct prmem_pool *pool, const struct prmem_disk_args *args, size_t args_bytes,
		  struct prmem_error *err)
{
	struct prmem_disk_args known;
	struct prmem_instance *inst;
	int r = SIZED_TAKE(&known, description, args, args_bytes, err);

	if (r < 0)
		return r;
	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	return disk_create_locked(pool, &known, 0, &inst, err);
}
