/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Named instances: finding, making, renaming, removing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/instance_memory.h"
#include "prmem/instance/record.h"
#include "prmem/instance/retire.h"
#include "prmem/instance/stats.h"
#include "prmem/memory/error.h"
#include "prmem/memory/sized.h"

struct prmem_instance *
instance_new(struct prmem_pool *pool, uint32_t number, uint32_t rec_pfn, const struct record_media *rec)
{
	struct prmem_instance *inst = calloc(1, sizeof *inst);
	int r;

	if (inst == NULL)
		return NULL;
	inst->pool = pool;
	inst->number = number;
	inst->rec_pfn = rec_pfn;
	inst->rec = *rec;
	atomic_store(&inst->size_bytes, le64_to_cpu(rec->size_bytes));
	atomic_store(&inst->flags, le32_to_cpu(rec->flags));
	r = xa_init(&inst->xa, &instance_memory_ops, inst, pool->pm, pool_lineage(pool, le64_to_cpu(rec->origin)),
		    le64_to_cpu(rec->root), le32_to_cpu(rec->height));
	if (r == -ENOMEM) {
		free(inst);
		return NULL;
	}
	if (r < 0)
		atomic_store(&inst->damaged, true);
	return inst;
}

void
instance_delete(struct prmem_instance *inst)
{
	stats_detach(inst);
	xa_fini(&inst->xa);
	free(inst);
}

struct prmem_instance *
instance_find_locked(struct directory *dir, const char *subsystem, const char *name)
{
	for (struct prmem_instance *inst = dir->first; inst != NULL; inst = inst->next) {
		if (!atomic_load(&inst->removed) && !instance_is_hidden(inst) && strcmp(inst->rec.name, name) == 0 &&
		    strcmp(inst->rec.subsystem, subsystem) == 0)
			return inst;
	}
	return NULL;
}

void
instance_link_locked(struct directory *dir, struct prmem_instance *inst)
{
	struct prmem_instance **at = &dir->first;

	while (*at != NULL && (*at)->number < inst->number)
		at = &(*at)->next;
	inst->next = *at;
	*at = inst;
	dir->nr_instances++;
}

static void
unlink_locked(struct directory *dir, struct prmem_instance *inst)
{
	struct prmem_instance **at = &dir->first;

	while (*at != inst)
		at = &(*at)->next;
	*at = inst->next;
}

void
instance_put_locked(struct prmem_instance *inst)
{
	if (inst->nr_handles == 0 && inst->nr_holds == 0 && atomic_load(&inst->removed)) {
		unlink_locked(inst->pool->dir, inst);
		instance_delete(inst);
	}
}

/* The lowest number that no instance has, nor an unreadable record. */
static int
free_number_locked(struct directory *dir, uint32_t *ret_number)
{
	uint32_t number = 0, idx;
	xa_entry_t entry;

	xa_for_each(&dir->xa, idx, entry) {
		if (idx != number)
			break;
		if (number == XA_MAX_INDEX)
			return -ENOSPC;
		number++;
	}
	*ret_number = number;
	return 0;
}

int
instance_create_locked(struct directory *dir, struct record_media *rec, struct prmem_instance **ret_inst,
		       struct prmem_error *err)
{
	struct prmem_pool *pool = dir->pool;
	struct prmem_instance *inst;
	uint32_t number = 0;
	int r;

	if (pool_is_read_only(pool))
		return error_set(err, -EROFS, "pool %s is read-only: cannot create %s", pool->path, rec->name);
	r = free_number_locked(dir, &number);
	if (r == 0)
		r = record_fill(rec);
	if (r < 0)
		return error_set(err, r, "pool %s: cannot create %s: %s", pool->path, rec->name, strerror(-r));
	inst = instance_new(pool, number, 0, rec);
	if (inst == NULL)
		return error_set(err, -ENOMEM, "pool %s: cannot create %s: out of memory", pool->path, rec->name);

	pthread_mutex_lock(&dir->rec_lock);
	r = instance_publish(inst, rec);
	pthread_mutex_unlock(&dir->rec_lock);
	if (r < 0) {
		instance_delete(inst);
		return error_set(err, r, "pool %s: cannot create %s: %s", pool->path, rec->name,
				 r == -ENOSPC ? "no space left in the pool" : strerror(-r));
	}
	instance_link_locked(dir, inst);
	r = page_sync(pool->pages);
	if (r < 0)
		return error_set(err, r, "pool %s: %s was created, and that could not be made durable: %s", pool->path,
				 rec->name, strerror(-r));
	*ret_inst = inst;
	return 0;
}

int
prmem_get(struct prmem_pool *pool, const char *subsystem, const char *name, unsigned int flags,
	  struct prmem_instance **ret_inst, struct prmem_error *err)
{
	struct directory *dir = pool->dir;
	struct record_media rec = {0};
	struct prmem_instance *inst;
	int r;

	if (!name_is_valid(subsystem) || !name_is_valid(name))
		return error_set(err, -EINVAL,
				 "\"%s\" is not a valid name: use 1 to %d printable characters without '/', '@' and space",
				 name_is_valid(subsystem) ? name : subsystem, PRMEM_NAME_MAX);
	LOCK_FOR_SCOPE(&dir->inst_lock);
	inst = instance_find_locked(dir, subsystem, name);
	if (inst != NULL) {
		if ((flags & PRMEM_CREATE) != 0 && (flags & PRMEM_EXCL) != 0)
			return error_set(err, -EEXIST, "pool %s: %s %s exists already", pool->path, subsystem, name);
		if (atomic_load(&inst->damaged))
			return error_set(err, -EIO, "pool %s: the root of %s %s is damaged", pool->path, subsystem,
					 name);
	} else {
		if ((flags & PRMEM_CREATE) == 0)
			return error_set(err, -ENOENT, "pool %s: there is no %s %s", pool->path, subsystem, name);
		strcpy(rec.subsystem, subsystem);
		strcpy(rec.name, name);
		r = instance_create_locked(dir, &rec, &inst, err);
		if (r < 0)
			return r;
	}
	inst->nr_handles++;
	*ret_inst = inst;
	return 0;
}

void
prmem_put(struct prmem_instance *inst)
{
	struct directory *dir;

	if (inst == NULL)
		return;
	dir = inst->pool->dir;
	LOCK_FOR_SCOPE(&dir->inst_lock);
	inst->nr_handles--;
	instance_put_locked(inst);
}

static void
fill_info(struct prmem_instance *inst, struct prmem_instance_info *info)
{
	uint32_t flags = le32_to_cpu(inst->rec.flags);
	const uint8_t *u = inst->rec.uuid;

	memset(info, 0, sizeof *info);
	strcpy(info->subsystem, inst->rec.subsystem);
	strcpy(info->name, inst->rec.name);
	strcpy(info->description, inst->rec.description);
	snprintf(info->uuid, sizeof info->uuid, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
	info->created_s = le64_to_cpu(inst->rec.created_s);
	info->size_bytes = le64_to_cpu(inst->rec.size_bytes);
	info->nr_entries = atomic_load(&inst->nr_entries);
	info->nr_nodes = atomic_load(&inst->xa.nr_nodes);
	info->nr_damaged = atomic_load(&inst->nr_damaged);
	info->nr_promised = (uint64_t)MAX(atomic_load(&inst->promised), 0);
	info->nr_handles = inst->nr_handles;
	info->read_only = (flags & RECORD_FLAG_READ_ONLY) != 0;
	info->reserved = (flags & RECORD_FLAG_RESERVE) != 0;
	info->damaged = atomic_load(&inst->damaged);
}

void
prmem_instance_info(struct prmem_instance *inst, struct prmem_instance_info *ret_info, size_t info_bytes)
{
	struct prmem_instance_info info;

	LOCK_FOR_SCOPE(&inst->pool->dir->inst_lock);
	fill_info(inst, &info);
	sized_fill(ret_info, info_bytes, &info, sizeof info);
}

int
prmem_list(struct prmem_pool *pool, const char *subsystem,
	   int (*fn)(void *opaque, const struct prmem_instance_info *info), void *opaque)
{
	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	for (struct prmem_instance *inst = pool->dir->first; inst != NULL; inst = inst->next) {
		struct {
			struct prmem_instance_info info;
			char zeroes[PRMEM_CALLBACK_BYTES - sizeof(struct prmem_instance_info)];
		} entry = {0};
		int r;

		if (atomic_load(&inst->removed) || instance_is_hidden(inst) ||
		    (subsystem != NULL && strcmp(subsystem, inst->rec.subsystem) != 0))
			continue;
		fill_info(inst, &entry.info);
		r = fn(opaque, &entry.info);
		if (r != 0)
			return r;
	}
	return 0;
}

int
prmem_rename(struct prmem_instance *inst, const char *new_name, struct prmem_error *err)
{
	struct directory *dir = inst->pool->dir;
	struct prmem_instance *other;
	struct record_media rec;
	int r;

	if (!name_is_valid(new_name))
		return error_set(err, -EINVAL,
				 "\"%s\" is not a valid name: use 1 to %d printable characters without '/', '@' and space",
				 new_name, PRMEM_NAME_MAX);
	LOCK_FOR_SCOPE(&dir->inst_lock);
	if (atomic_load(&inst->removed))
		return error_set(err, -ESHUTDOWN, "%s has been removed", inst->rec.name);
	if (pool_is_read_only(inst->pool))
		return error_set(err, -EROFS, "pool %s is read-only: cannot rename %s", inst->pool->path,
				 inst->rec.name);
	other = instance_find_locked(dir, inst->rec.subsystem, new_name);
	if (other == inst)
		return 0;
	if (other != NULL)
		return error_set(err, -EEXIST, "pool %s: %s %s exists already", inst->pool->path, inst->rec.subsystem,
				 new_name);
	pthread_mutex_lock(&dir->rec_lock);
	rec = inst->rec;
	memset(rec.name, 0, sizeof rec.name);
	strcpy(rec.name, new_name);
	r = instance_publish(inst, &rec);
	pthread_mutex_unlock(&dir->rec_lock);
	if (r == 0)
		r = page_sync(inst->pool->pages);
	if (r < 0)
		return error_set(err, r, "pool %s: cannot rename %s: %s", inst->pool->path, inst->rec.name,
				 strerror(-r));
	return 0;
}

int
instance_remove_locked(struct prmem_instance *inst, struct prmem_error *err)
{
	struct prmem_pool *pool = inst->pool;
	struct directory *dir = pool->dir;
	bool was_removed = atomic_load(&inst->removed);
	xa_entry_t old;
	int r;

	/* Nobody stores in the array from here on, and nobody publishes its record. */
	atomic_store(&inst->removed, true);
	xa_set_end(&inst->xa, 0);
	pthread_mutex_lock(&dir->rec_lock);
	/*
	 * The publishing store.  Durable before it: nothing new.  A crash right
	 * after it leaves the instance as a whole, or none of it: what only it
	 * reached is free at the next open.
	 */
	old = xa_erase(&dir->xa, inst->number);
	pthread_mutex_unlock(&dir->rec_lock);
	if (xa_is_err(old)) {
		if (!was_removed) {
			xa_set_end(&inst->xa, UINT64_C(1) << XA_INDEX_BITS);
			atomic_store(&inst->removed, false);
		}
		return error_set(err, xa_err(old), "pool %s: cannot remove %s: %s", pool->path, inst->rec.name,
				 strerror(-xa_err(old)));
	}
	dir->nr_instances--;
	xa_synchronize();
	xa_free_all(&inst->xa);
	instance_retire_entry(inst, le64_to_cpu(inst->rec.data));
	page_retire(pool->pages, inst->rec_pfn, 0);
	if (atomic_load(&inst->promised) > 0)
		page_unpromise(pool->pages, (uint64_t)atomic_exchange(&inst->promised, 0));
	instance_put_locked(inst);
	r = page_sync(pool->pages);
	if (r < 0)
		return error_set(err, r, "pool %s: the removal could not be made durable: %s", pool->path, strerror(-r));
	return 0;
}

int
prmem_remove(struct prmem_pool *pool, const char *subsystem, const char *name, struct prmem_error *err)
{
	struct directory *dir = pool->dir;
	struct prmem_instance *inst;

	LOCK_FOR_SCOPE(&dir->inst_lock);
	inst = instance_find_locked(dir, subsystem, name);
	if (inst == NULL)
		return error_set(err, -ENOENT, "pool %s: there is no %s %s", pool->path, subsystem, name);
	if (pool_is_read_only(pool))
		return error_set(err, -EROFS, "pool %s is read-only: cannot remove %s", pool->path, name);
	return instance_remove_locked(inst, err);
}

struct xarray *
prmem_xarray(struct prmem_instance *inst)
{
	return &inst->xa;
}
