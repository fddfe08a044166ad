/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instances in RAM: all of a pool's are read at open and kept.
 */
#ifndef PRMEM_INSTANCE_H
#define PRMEM_INSTANCE_H

#include <pthread.h>
#include <stdatomic.h>

#include "prmem/directory.h"
#include "prmem/pool.h"
#include "prmem/record_format.h"
#include "prmem/stats.h"
#include "xarray/xa_internal.h"

struct prmem_instance {
	struct prmem_pool *pool;
	struct prmem_instance *next; /* in the order of numbers; under inst_lock */
	uint32_t number;             /* index in the directory */
	uint32_t nr_handles;         /* under inst_lock */
	uint32_t nr_holds;           /* a check looks at it: it is not deleted; under inst_lock */
	uint32_t rec_pfn;            /* under rec_lock */
	struct record_media rec;     /* as on media; changed under inst_lock and rec_lock, read under either */
	bool behind_end;             /* the mark found entries or nodes behind the disk's end */
	atomic_bool removed;
	atomic_bool damaged;         /* its root cannot be read */
	_Atomic uint64_t size_bytes; /* rec.size_bytes, for those without a lock */
	_Atomic uint32_t flags;      /* rec.flags, likewise */
	_Atomic uint64_t nr_entries;
	_Atomic uint64_t nr_damaged;
	_Atomic int64_t promised;    /* pages still promised to it and not taken */
	_Atomic uint64_t nr_crc_errors; /* pages read that did not match their proof */
	struct stats *_Atomic stats; /* NULL until it is opened as a disk */
	struct xarray xa;
};

struct directory {
	struct prmem_pool *pool;
	pthread_mutex_t inst_lock;
	pthread_mutex_t rec_lock;
	struct xarray xa;
	struct prmem_instance *first; /* under inst_lock */
	uint32_t nr_instances;        /* under inst_lock */
	bool xa_ready;
};

/* instance_is_hidden() - is it one that was begun and nobody sees yet? */
static inline bool
instance_is_hidden(const struct prmem_instance *inst)
{
	return (atomic_load_explicit(&inst->flags, memory_order_relaxed) & RECORD_FLAG_UNFINISHED) != 0;
}

/* instance_find_locked() - by name, hidden ones left out.  Context: inst_lock.  Return: NULL if there is none. */
struct prmem_instance *instance_find_locked(struct directory *dir, const char *subsystem, const char *name);

/* instance_new() - the RAM of an instance that a record describes. Return: NULL for want of memory. */
struct prmem_instance *instance_new(struct prmem_pool *pool, uint32_t number, uint32_t rec_pfn,
				    const struct record_media *rec);
void instance_delete(struct prmem_instance *inst);

/* instance_put_locked() - delete a removed instance that nobody has any more.  Context: inst_lock. */
void instance_put_locked(struct prmem_instance *inst);

/* instance_link_locked() - put it in the list.  Context: inst_lock, or nobody else has the pool. */
void instance_link_locked(struct directory *dir, struct prmem_instance *inst);

/*
 * instance_create_locked() - make and publish an instance that @rec describes
 * (names, size, flags, description; the rest is filled in here).
 * Context: inst_lock.
 * Persistence: durable on return; there or not after a crash.
 * Return: 0, -ENOSPC, -EROFS, -EIO, -ENOMEM.
 */
MUST_CHECK int instance_create_locked(struct directory *dir, struct record_media *rec,
				      struct prmem_instance **ret_inst, struct prmem_error *err);

/*
 * instance_remove_locked() - remove an instance and free all that it holds;
 * without handles it is deleted.
 * Context: inst_lock, or nobody else has the pool.
 * Persistence: durable on return; there, or gone as a whole after a crash.
 * Return: 0, -EROFS, -EIO.
 */
MUST_CHECK int instance_remove_locked(struct prmem_instance *inst, struct prmem_error *err);

/*
 * instance_finish_removal() - end what a crash cut off: a removal with a wipe,
 * or the going of one that was replaced or that was never finished.
 * Context: open; nobody else has the pool.
 */
MUST_CHECK int instance_finish_removal(struct prmem_instance *inst);

/*
 * instance_finish_replacing() - forget what an instance has replaced, which is
 * gone by now.
 * Context: inst_lock, or nobody else has the pool.
 */
MUST_CHECK int instance_finish_replacing(struct prmem_instance *inst);

#endif
