/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory: its array, and reading all instances at open.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/core/notice.h"
#include "prmem/instance/directory.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/instance_memory.h"
#include "prmem/instance/mark.h"
#include "prmem/instance/record.h"
#include "prmem/memory/error.h"

struct read_all {
	struct directory *dir;
	struct prmem_instance **tail;
	bool no_memory;
};

static void
structure_damaged(struct prmem_pool *pool, uint32_t number, const char *why)
{
	atomic_fetch_add(&pool->nr_damaged, 1);
	pool_set_read_only(pool,
			   "the record of instance %u is damaged (%s); it cannot be served, all others can; "
			   "copy the data away or repair the pool",
			   number, why);
}

static bool
read_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct read_all *all = opaque;

	(void)level;
	(void)first;
	if (!mark_node(all->dir->pool, pfn))
		structure_damaged(all->dir->pool, first, "its directory node lies outside of the pool");
	return true;
}

static void
read_damage(void *opaque, uint32_t idx, uint64_t nr, unsigned int level, uint64_t slot)
{
	struct read_all *all = opaque;

	(void)slot;
	(void)nr;
	structure_damaged(all->dir->pool, idx, level > 0 ? "a node of the directory" : "its slot in the directory");
}

/*
 * Two may have one name when one has replaced the other, which then is gone,
 * whatever a crash left of it.  Return: false if it is not that.
 */
static bool
settle_name(struct directory *dir, const struct record_media *rec, bool *ret_removed)
{
	struct prmem_instance *other = instance_find_locked(dir, rec->subsystem, rec->name);

	if (other == NULL)
		return true;
	if (instance_replaces(rec, &other->rec)) {
		atomic_store(&other->removed, true);
		return true;
	}
	*ret_removed = instance_replaces(&other->rec, rec);
	return *ret_removed;
}

static void
read_record(void *opaque, uint32_t number, xa_entry_t entry)
{
	struct read_all *all = opaque;
	struct directory *dir = all->dir;
	struct prmem_pool *pool = dir->pool;
	uint32_t pfn = xa_entry_payload(entry);
	const struct record_media *media = directory_memory_ops.map(dir, pfn);
	struct record_media rec;
	struct prmem_instance *inst;
	const char *wrong;
	bool removed;

	if (xa_entry_kind(entry) != XA_KIND_PAGE || media == NULL) {
		structure_damaged(pool, number, "its slot names no page");
		return;
	}
	mark_object(pool, XA_KIND_PAGE, pfn);
	memcpy(&rec, media, sizeof rec);
	if (record_proof(dir, number, &rec) != xa_entry_proof(entry)) {
		structure_damaged(pool, number, "it does not match its proof");
		return;
	}
	wrong = record_check(&rec);
	removed = (le32_to_cpu(rec.flags) & (RECORD_FLAG_REMOVED | RECORD_FLAG_UNFINISHED)) != 0;
	if (wrong == NULL && !removed && !settle_name(dir, &rec, &removed))
		wrong = "another one has its name";
	if (wrong != NULL) {
		structure_damaged(pool, number, wrong);
		return;
	}
	inst = instance_new(pool, number, pfn, &rec);
	if (inst == NULL) {
		all->no_memory = true;
		return;
	}
	atomic_store(&inst->removed, removed);
	*all->tail = inst;
	all->tail = &inst->next;
	dir->nr_instances++;
	if (atomic_load(&inst->damaged)) {
		atomic_fetch_add(&pool->nr_damaged, 1);
		pool_set_read_only(pool, "the root of %s %s is damaged; it cannot be read, all others can",
				   rec.subsystem, rec.name);
	}
	if (rec.data.le != 0) {
		uint64_t data = le64_to_cpu(rec.data);

		if (!mark_object(pool, xa_entry_kind(data), xa_entry_payload(data)))
			atomic_fetch_add(&inst->nr_damaged, 1);
	}
}

int
directory_open(struct prmem_pool *pool, unsigned int nr_threads, struct directory **ret_dir, struct prmem_error *err)
{
	struct directory *dir = calloc(1, sizeof *dir);
	struct read_all all = {.dir = dir};
	const struct xa_visitor visitor = {.node = read_node, .entry = read_record, .damage = read_damage, .opaque = &all};
	int r;

	if (dir == NULL)
		return error_set(err, -ENOMEM, "pool %s: out of memory", pool->path);
	dir->pool = pool;
	pool->dir = dir;
	all.tail = &dir->first;
	pthread_mutex_init(&dir->inst_lock, NULL);
	pthread_mutex_init(&dir->rec_lock, NULL);
	r = xa_init(&dir->xa, &directory_memory_ops, dir, pool->pm, pool_lineage(pool, 0),
		    le64_to_cpu(pool->sb.dir_root), le32_to_cpu(pool->sb.dir_height));
	if (r == -ENOMEM)
		goto out_of_memory;
	dir->xa_ready = true;
	if (r < 0)
		structure_damaged(pool, 0, "the root of the directory");
	else
		xa_walk(&dir->xa, 0, XA_MAX_INDEX, &visitor);
	if (all.no_memory || mark_instances(dir, nr_threads) < 0)
		goto out_of_memory;
	for (struct prmem_instance *inst = dir->first; inst != NULL; inst = inst->next) {
		uint64_t nr = atomic_load(&inst->nr_damaged);

		if (nr > 0)
			pool_notice(pool, "pool %s: %s %s: %llu damaged pages read as an i/o error until they are rewritten",
				    pool->path, inst->rec.subsystem, inst->rec.name, (unsigned long long)nr);
	}
	*ret_dir = dir;
	return 0;

out_of_memory:
	directory_close(dir);
	pool->dir = NULL;
	return error_set(err, -ENOMEM, "pool %s: out of memory while reading its index", pool->path);
}

void
directory_close(struct directory *dir)
{
	if (dir == NULL)
		return;
	for (struct prmem_instance *inst = dir->first, *next; inst != NULL; inst = next) {
		next = inst->next;
		instance_delete(inst);
	}
	if (dir->xa_ready)
		xa_fini(&dir->xa);
	pthread_mutex_destroy(&dir->inst_lock);
	pthread_mutex_destroy(&dir->rec_lock);
	free(dir);
}

uint32_t
directory_nr_instances(struct directory *dir)
{
	LOCK_FOR_SCOPE(&dir->inst_lock);
	return dir->nr_instances;
}
