/* SPDX-License-Identifier: BSD-3-Clause */
/* Instances and the directory of them, in RAM: all of a pool's are read at open and kept. */
#ifndef PRMEM_INSTANCE_TYPES_H
#define PRMEM_INSTANCE_TYPES_H

#include <pthread.h>
#include <stdatomic.h>

#include "prmem/core/pool.h"
#include "prmem/format/record_format.h"
#include "xarray/xa_internal.h"

struct stats;

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

#endif
