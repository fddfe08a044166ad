/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From mapped memory to an open pool.
 *
 *	1. read both superblocks, decide: use, format, refuse; where none is,
 *	   look whether anything at all is there (foreign.c)
 *	2. compare the size of the memory with what the superblock says
 *	3. make everything that lives in RAM, with the fixed pages marked
 *	4. walk the directory and all instances; the pool may turn read-only
 *	5. start handing out pages
 *	6. only now write: the new superblocks of a format, or the repair of a
 *	   damaged one; the owner record; what a crash left half done
 *
 * Nothing before 6 writes, and from 6 on nothing but a failing sync can fail:
 * so no failed open ever writes.  Memory that turns out to be bad on the way
 * makes the pool read-only (guard.h), and is never formatted.
 */
#include "prmem/pool/open_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/mix64.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_refs.h"
#include "prmem/core/guard.h"
#include "prmem/core/notice.h"
#include "prmem/instance/bad_list.h"
#include "prmem/instance/directory.h"
#include "prmem/memory/error.h"
#include "prmem/memory/foreign.h"
#include "prmem/memory/owner.h"
#include "prmem/memory/superblock.h"
#include "prmem/memory/superblock_create.h"
#include "prmem/memory/uuid.h"
#include "prmem/object/buffer.h"
#include "prmem/pool/close.h"
#include "prmem/pool/recover.h"
#include "prmem/pool/regions.h"

#define FORCE_HINT "format=force makes a new pool of it, and everything in it is lost (with prmemctl: format --force)"

/* What step 1 decided. */
struct decision {
	bool format;
	bool repair;
	bool unknown_ro; /* an unknown feature forbids writing */
	struct sb_media sb;
	struct prmem_error what; /* what is wrong with the copy that is to be repaired */
};

static const char *
name_of(const struct prmem_open_args *args)
{
	return args->path != NULL ? args->path : "(memory)";
}

static int
decide_format(const struct pm *pm, const struct prmem_open_args *args, struct decision *d, struct prmem_error *err)
{
	uint8_t uuid[16];
	int r;

	if (pm->len_bytes < PRMEM_POOL_SIZE_MIN)
		return error_set(err, -EINVAL,
				 "pool %.200s: too small for a pool: %" PRIu64 " bytes, it needs %" PRIu64,
				 name_of(args), pm->len_bytes, PRMEM_POOL_SIZE_MIN);
	r = uuid_make(uuid);
	if (r < 0)
		return error_set(err, r, "pool %.200s: no random numbers for a new pool: %s", name_of(args),
				 strerror(-r));
	sb_make(&d->sb, pm->len_bytes, uuid, (uint64_t)time(NULL), args->label);
	d->format = true;
	return 0;
}

static int
decide(struct prmem_pool *pool, const struct backing *backing, const struct prmem_open_args *args, struct decision *d,
       struct prmem_error *err)
{
	const struct pm *pm = pool->pm;
	const char *path = name_of(args);
	enum sb_state state;
	bool writable;
	int r;

	if (args->format == PRMEM_FORMAT_FORCE && pool_is_read_only(pool))
		return error_set(err, -EINVAL, "pool %.200s: cannot be formatted when it is opened read-only", path);
	if (args->format == PRMEM_FORMAT_FORCE)
		return decide_format(pm, args, d, err);

	/* A file that has got its length just now is a hole: on a full tmpfs to read it is a signal. */
	if (backing != NULL && backing->was_empty && !pool_is_read_only(pool)) {
		r = pm_ensure(pool->pm, 0, SB_FORMAT_BYTES);
		if (r < 0)
			return error_set(err, r, "pool %.200s: cannot be formatted: %s", path, strerror(-r));
	}
	state = sb_read(pm, &d->sb, &d->unknown_ro, &d->what);
	if (backing != NULL && (state == SB_BLANK || state == SB_FOREIGN)) {
		r = blank_check(backing, pm, args, err);
		if (r < 0)
			return r;
	}
	/* Bad memory reads as zeroes from here on: it may be neither blank nor what it seems. */
	if (atomic_load(&pool->lost_memory) && state != SB_GOOD && state != SB_REPAIR)
		return error_set(err, -EIO, "pool %.200s: the memory is bad where its superblocks are", path);
	writable = !pool_is_read_only(pool);
	switch (state) {
	case SB_GOOD:
		return 0;
	case SB_REPAIR:
		d->repair = true;
		return 0;
	case SB_INTERRUPTED:
		if (args->format == PRMEM_FORMAT_AUTO && writable)
			args_notice(args, "pool %.200s: %.200s: it is formatted again", path, d->what.message);
		__attribute__((fallthrough));
	case SB_BLANK:
		if (args->format == PRMEM_FORMAT_AUTO && writable)
			return decide_format(pm, args, d, err);
		return error_set(err, d->what.code,
				 "pool %.200s: %.200s, and %s forbids to format it; \"prmemctl format\" does", path,
				 d->what.message, writable ? "format=never" : "read-only");
	case SB_FOREIGN:
	case SB_DAMAGED:
	case SB_WRONG:
		return error_set(err, d->what.code, "pool %.200s: %.200s; " FORCE_HINT, path, d->what.message);
	case SB_NEWER:
		break;
	}
	return error_set(err, d->what.code, "pool %.200s: %.200s; nothing was changed", path, d->what.message);
}

static int
check_size(const struct pm *pm, const struct prmem_open_args *args, const struct sb_media *sb, struct prmem_error *err)
{
	uint64_t have = pm->len_bytes >> PRMEM_PAGE_SHIFT;
	uint64_t says = le64_to_cpu(sb->regions[0].nr_pages);
	uint64_t grow_to = le64_to_cpu(sb->grow_to_pages);

	if (have == says)
		return 0;
	/* A growth was under way: the file is as long as before, or longer up to its aim. */
	if (have > says && have <= grow_to)
		return 0;
	if (have < says)
		return error_set(err, -EINVAL,
				 "pool %.200s: is cut short, or not the pool's own device: %" PRIu64
				 " bytes are there, its superblock says %" PRIu64 "; give it its full length back",
				 name_of(args), have << PRMEM_PAGE_SHIFT, says << PRMEM_PAGE_SHIFT);
	return error_set(err, -EINVAL,
			 "pool %.200s: is too long, or not the pool's own device: %" PRIu64
			 " bytes are there, its superblock says %" PRIu64 "; give it its old length back",
			 name_of(args), have << PRMEM_PAGE_SHIFT, says << PRMEM_PAGE_SHIFT);
}

/* The pool's part of every lineage.  prmem-format(5) has it: it can never change. */
static uint64_t
uuid_mix(const uint8_t uuid[16])
{
	le64 half[2];

	memcpy(half, uuid, sizeof half);
	return mix64(le64_to_cpu(half[0]) ^ mix64(le64_to_cpu(half[1])));
}

static struct prmem_pool *
pool_new(struct pm *pm, struct owner_lock *lock, const struct prmem_open_args *args)
{
	struct prmem_pool *pool = calloc(1, sizeof *pool);

	if (pool == NULL)
		return NULL;
	pool->pm = pm;
	pool->lock = lock;
	pool->nr_regions = 1;
	pool->regions[0].pm = pm;
	pool->notice = args->notice;
	pool->opaque = args->opaque;
	snprintf(pool->path, sizeof pool->path, "%s", name_of(args));
	atomic_init(&pool->read_only, args->read_only || pm->read_only);
	pthread_mutex_init(&pool->grow_lock, NULL);
	pthread_mutex_init(&pool->sb_lock, NULL);
	pthread_mutex_init(&pool->why_lock, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(pool->stripes); i++)
		pthread_mutex_init(&pool->stripes[i].lock, NULL);
	return pool;
}

/* Step 2 is behind us: this is what it is. */
static void
adopt(struct prmem_pool *pool, const struct sb_media *sb)
{
	pool->sb = *sb;
	pool->uuid_mix = uuid_mix(sb->uuid);
	/* Page number 2^32 - 1 stays unused: lengths in pages are 32 bits. */
	pool->nr_pages = MIN(le64_to_cpu(sb->nr_pages), UINT32_MAX);
	pool->regions[0].nr_pages = (uint32_t)MIN(le64_to_cpu(sb->regions[0].nr_pages), pool->nr_pages);
}

static unsigned int
nr_mark_threads(const struct prmem_open_args *args)
{
	cpu_set_t cpus;

	if (args->nr_mark_threads != 0)
		return args->nr_mark_threads;
	if (sched_getaffinity(0, sizeof cpus, &cpus) < 0)
		return 1;
	return (unsigned int)MIN(MAX(CPU_COUNT(&cpus), 1), 8);
}

/* Steps 3 to 5: everything that can fail for want of memory. */
static int
build(struct prmem_pool *pool, const struct prmem_open_args *args, const struct decision *d, struct prmem_error *err)
{
	int r;

	r = page_alloc_create(pool, &pool->pages);
	if (r == 0)
		r = page_refs_create(&pool->refs);
	if (r == 0)
		r = buffers_create(pool, &pool->buffers);
	if (r < 0)
		return error_set(err, r, "pool %.200s: out of memory", pool->path);

	if (d->unknown_ro)
		pool_set_read_only(pool, "made by a newer version: ro_compat feature bit %d is not known here",
				   __builtin_ctzll(le64_to_cpu(d->sb.ro_compat) & ~SB_RO_COMPAT_KNOWN));
	r = directory_open(pool, nr_mark_threads(args), &pool->dir, err);
	if (r < 0)
		return r;

	/* Room for the fixed pages: a store to a hole on a full file system would be a signal. */
	if (!pool_is_read_only(pool)) {
		r = pm_ensure(pool->pm, 0, SB_FORMAT_BYTES);
		if (r < 0 && d->format)
			return error_set(err, r, "pool %.200s: cannot be formatted: %s", pool->path, strerror(-r));
		if (r < 0)
			pool_set_read_only(pool, "no room for its superblocks: %s", strerror(-r));
	}
	r = page_alloc_start(pool->pages);
	if (r == -ENOSPC) {
		pool_notice(
			pool,
			"pool %.200s: the file system has no room for it: writing fails where nothing was written yet",
			pool->path);
		r = 0;
	}
	if (r < 0)
		return error_set(err, r, "pool %.200s: cannot hand out pages: %s", pool->path, strerror(-r));
	bad_pages_load(pool);
	return 0;
}

static int
write_format(struct prmem_pool *pool, struct prmem_error *err)
{
	struct sb_media made;
	int r;

	sb_format(pool->pm, &made, pool->sb.uuid, le64_to_cpu(pool->sb.created_s), pool->sb.label);
	r = pm_sync(pool->pm);
	if (r < 0)
		return error_set(err, -EIO, "pool %.200s: could not be written to its disk while it was formatted: %s",
				 pool->path, strerror(-r));
	pool_notice(pool, "pool %.200s: made a new pool of %" PRIu64 " KiB", pool->path,
		    le64_to_cpu(pool->sb.nr_pages) << (PRMEM_PAGE_SHIFT - 10));
	return 0;
}

/* Step 6. */
static int
write_first(struct prmem_pool *pool, const struct decision *d, struct prmem_error *err)
{
	int r;

	if (atomic_load(&pool->lost_memory))
		pool_set_read_only(pool, "some of its memory is bad");
	if (pool_is_read_only(pool) && d->format)
		return error_set(err, -EIO, "pool %.200s: the memory is bad, it cannot be formatted", pool->path);
	if (pool_is_read_only(pool)) {
		if (d->repair)
			pool_notice(pool, "pool %.200s: %.200s; the other one is used", pool->path, d->what.message);
		/* Writes nothing then, but counts what is promised: whoever only looks is to see it. */
		return pool_recover(pool);
	}
	if (d->format) {
		r = write_format(pool, err);
		if (r < 0)
			return r;
	}
	if (d->repair) {
		sb_repair(pool->pm, &pool->sb);
		pool_notice(pool, "pool %.200s: %.200s; it was repaired from the other one", pool->path,
			    d->what.message);
	}
	/* Behind the format: a record alone would make a blank device one that is not blank. */
	if (pool->lock != NULL)
		owner_record_write(pool->lock, pool->pm);
	regions_note_places(pool);
	r = pool_recover(pool);
	if (r < 0)
		pool_notice(pool, "pool %.200s: what a crash left half done was not finished: %s", pool->path,
			    strerror(-r));
	return 0;
}

/* Steps 1 to 6. */
static int
open_watched(struct prmem_pool *pool, const struct backing *backing, const struct prmem_open_args *args,
	     struct prmem_error *err)
{
	struct decision d = {.format = false};
	int r;

	r = decide(pool, backing, args, &d, err);
	if (r == 0 && !d.format)
		r = check_size(pool->pm, args, &d.sb, err);
	if (r < 0)
		return r;
	adopt(pool, &d.sb);
	r = regions_open(pool, args, err);
	if (r == 0)
		r = build(pool, args, &d, err);
	if (r < 0)
		return r;
	return write_first(pool, &d, err);
}

int
pool_open_locked(struct pm *pm, struct owner_lock *lock, const struct backing *backing,
		 const struct prmem_open_args *args, struct prmem_pool **ret_pool, struct prmem_error *err)
{
	struct prmem_pool *pool = pool_new(pm, lock, args);
	int r;

	if (pool == NULL)
		return error_set(err, -ENOMEM, "pool %.200s: out of memory", name_of(args));
	r = (args->flags & PRMEM_NO_SIGBUS) != 0 ? 0 : guard_add(pool);
	if (r < 0)
		error_set(err, r, "pool %.200s: cannot watch over its memory: %s", pool->path, strerror(-r));
	else
		r = open_watched(pool, backing, args, err);
	if (r < 0) {
		pool_destroy(pool);
		return r;
	}
	if (pm->is_pmem)
		pool_notice(pool, "pool %.200s: persistent memory, every acknowledged write is durable", pool->path);
	else
		pool_notice(
			pool,
			"pool %.200s: page cache (not persistent memory): acknowledged writes survive the server, a "
			"flush survives the system",
			pool->path);
	*ret_pool = pool;
	return 0;
}

int
pool_open_pm(struct pm *pm, const struct prmem_open_args *args, struct prmem_pool **ret_pool, struct prmem_error *err)
{
	return pool_open_locked(pm, NULL, NULL, args, ret_pool, err);
}
