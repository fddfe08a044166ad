/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The persistence primitives, behind one small table of operations.
 *
 * Everything that changes persistent memory goes through here; reads never
 * do.  Two implementations stand behind it: libpmem (prmem/memory/pm_libpmem.c) and
 * the crash simulator of the tests, so that the shipped code is the tested
 * code.
 *
 * Model: copy() writes with non-temporal stores, which are durable after a
 * fence() by the SAME thread.  A store() is durable after flush() of its
 * bytes and a fence(), both by a thread that has seen the store, flush and
 * fence by the same thread.  A fence guarantees nothing about the stores of
 * another thread.  Anything may become durable earlier.
 *
 * On memory that is not persistent (page cache) the same calls are made and
 * protect against the death of the process only; sync() is what makes the
 * file durable.
 */
#ifndef PRMEM_COMMON_PM_H
#define PRMEM_COMMON_PM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compiler.h"
#include "common/pm_sites.h"

#define PM_SITE_ENUM(name, what) PM_SITE_##name,
enum pm_site { PM_SITES(PM_SITE_ENUM) PM_NR_SITES };
#undef PM_SITE_ENUM

/* The 8 bytes of persistent memory that can be published: little-endian. */
typedef _Atomic(uint64_t) pm_slot;

struct pm;

struct pm_ops {
	void (*copy)(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site);
	void (*store)(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site);
	uint64_t (*exchange)(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site);
	bool (*cmpxchg)(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site);
	void (*flush)(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site);
	void (*fence)(struct pm *pm, enum pm_site site);
	/*
	 * Make everything written so far survive an operating-system crash.
	 * Nothing to do on persistent memory.  Return: 0, or -errno of msync.
	 */
	int (*sync)(struct pm *pm);
	/*
	 * Back [off, off + len_bytes) with space, so that a store there cannot
	 * raise SIGBUS for want of it.  Return: 0, -ENOSPC, or another -errno.
	 */
	int (*ensure)(struct pm *pm, uint64_t off, uint64_t len_bytes);
	/* Unmap and release what the implementation holds. */
	void (*close)(struct pm *pm);
	/*
	 * Make the memory longer, from @old_bytes to @new_bytes, and map what
	 * is new by itself: what is mapped stays where it is.  @old_bytes may
	 * be more than this mapping has.  The new length is durable on return.
	 * May be NULL: it cannot grow.
	 * Return: 0 and *ret_more, or -errno: the length is as it was.
	 */
	int (*extend)(struct pm *pm, uint64_t old_bytes, uint64_t new_bytes, struct pm **ret_more);
	/* Cut the memory to a length again; what is behind is not mapped. */
	int (*cut)(struct pm *pm, uint64_t len_bytes);
};

/*
 * One mapped piece of memory: a device, a file, or a simulation of one.
 * Implementations embed it.
 */
struct pm {
	const struct pm_ops *ops;
	void *base; /* where it is mapped this time */
	uint64_t len_bytes; /* its length */
	bool is_pmem; /* true: a fence makes durable; false: only sync() does */
	bool read_only; /* mapped without write permission */
};

/* Non-temporal copy; durable after the same thread's pm_fence(). */
static inline void
pm_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	pm->ops->copy(pm, dst, src, len_bytes, site);
}

/* Atomic 8-byte store, release; durable after flush and fence. */
static inline void
pm_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	pm->ops->store(pm, slot, le, site);
}

/* Atomic 8-byte exchange, acquire and release.  Return: the old value. */
static inline uint64_t
pm_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	return pm->ops->exchange(pm, slot, le, site);
}

/* Atomic 8-byte compare and exchange.  Return: true if it was stored. */
static inline MUST_CHECK bool
pm_cmpxchg(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site)
{
	return pm->ops->cmpxchg(pm, slot, expected_le, le, site);
}

static inline void
pm_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	pm->ops->flush(pm, addr, len_bytes, site);
}

static inline void
pm_fence(struct pm *pm, enum pm_site site)
{
	pm->ops->fence(pm, site);
}

static inline MUST_CHECK int
pm_sync(struct pm *pm)
{
	return pm->ops->sync(pm);
}

static inline MUST_CHECK int
pm_ensure(struct pm *pm, uint64_t off, uint64_t len_bytes)
{
	return pm->ops->ensure(pm, off, len_bytes);
}

#endif
