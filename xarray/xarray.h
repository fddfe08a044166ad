/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * <xarray.h> - the persistent XArray.
 *
 * An array of 2^32 entries, indexed by a page index, kept as a tree of 4 KiB
 * nodes in persistent memory.  Names and semantics are those of the Linux
 * XArray wherever both have the thing; what differs is that an operation can
 * fail on damaged media (an error entry with EIO), and that changes survive.
 *
 * Reading takes no lock.  All functions may be called from any number of
 * threads at once.  None may be called between prmem_borrow() and its return
 * by the same thread when it stores (a store may wait for borrowers).
 */
#ifndef PRMEM_XARRAY_H
#define PRMEM_XARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library is built with all symbols hidden; these are the ones to be seen. */
#pragma GCC visibility push(default)

struct xarray;

/*
 * What an array holds at an index: nothing (0), a page, a run of pages, a
 * buffer, a value, or, as an answer only, an error.  Compare entries with ==;
 * look inside with the functions below only.
 */
typedef uint64_t xa_entry_t;

#define XA_MAX_INDEX UINT32_MAX

/* xa_mk_value() - the entry that holds 32 bits of the caller's. */
xa_entry_t xa_mk_value(uint32_t value);

/* xa_is_value() - was the entry made by xa_mk_value()? */
bool xa_is_value(xa_entry_t entry);

/* xa_to_value() - the bits; only for an entry that is a value. */
uint32_t xa_to_value(xa_entry_t entry);

/* xa_is_err() - is this answer an error, not an entry? */
bool xa_is_err(xa_entry_t entry);

/* xa_err() - 0 for an entry, the negative errno for an error. */
int xa_err(xa_entry_t entry);

/*
 * xa_load() - the entry at an index.
 *
 * Context: any thread; takes no lock, waits for nobody.
 * Return: the entry, 0 if there is none, or an error entry:
 *   -EIO     the slot, or a node above it, is damaged
 */
xa_entry_t xa_load(struct xarray *xa, uint32_t idx);

/*
 * xa_store() - put an entry at an index.
 * @entry: what to put; 0 is the same as xa_erase()
 *
 * The caller owns what was there before, and frees it (prmem_free_entry()).
 *
 * Context: any thread; may sleep, takes the array's lock when a node is to be
 *   made.
 * Persistence: on return the entry is durable; after a crash before that the
 *   index has its old or its new entry.
 * Return: the entry that was there (0 if none), or an error entry; nothing
 *   was changed then, unless it says otherwise:
 *   -EINVAL  not an entry that can be stored
 *   -ENOSPC  no page for a node
 *   -EROFS   the pool is read-only
 *   -EIO     a node above the slot is damaged
 * A damaged slot itself is replaced, and the answer is 0: what it held is
 * lost and must not be freed.
 */
xa_entry_t xa_store(struct xarray *xa, uint32_t idx, xa_entry_t entry);

/* xa_erase() - remove the entry at an index; as xa_store() of 0, never -ENOSPC. */
xa_entry_t xa_erase(struct xarray *xa, uint32_t idx);

/*
 * xa_cmpxchg() - put an entry at an index if another one is there.
 * @old: what must be there; 0 for nothing
 *
 * Context, Persistence: as xa_store(); what the answer says is durable also
 *   where nothing was changed.
 * Return: what was there: @old if it was replaced, another entry if not, or
 *   an error entry as xa_store(); -EIO also for a damaged slot.
 */
xa_entry_t xa_cmpxchg(struct xarray *xa, uint32_t idx, xa_entry_t old, xa_entry_t entry);

/*
 * xa_exchange() - put entries at consecutive indices, with one fence for all.
 * @idx: the first index
 * @nr: how many; idx + nr - 1 <= XA_MAX_INDEX
 * @entries: @nr entries; 0 erases
 * @ret_old: what was there, @nr entries; the caller owns it
 *
 * Each index by itself is old or new after a crash; the run as a whole is not.
 *
 * Context: as xa_store().
 * Persistence: on return all that was exchanged is durable.
 * Return: how many were exchanged, from the first on: @nr, or fewer when one
 *   could not be; a negative errno, as xa_store(), when none was.
 */
int64_t xa_exchange(struct xarray *xa, uint32_t idx, uint32_t nr, const xa_entry_t *entries, xa_entry_t *ret_old);

/*
 * xa_erase_range() - remove all entries of a range and the nodes that held
 * nothing else.
 * @first, @last: indices, both included
 *
 * What was there is freed as if each had gone to prmem_free_entry().  Work
 * and time are in proportion to what is there, not to the range.  A damaged
 * node that lies wholly in the range is removed with all that it held.
 *
 * Context: may sleep; takes the array's lock; waits for a grace period when
 *   nodes go.
 * Persistence: on return the range is durably empty.  After a crash before
 *   that, each index has its old entry or none.
 * Return: 0, or -EROFS, or -EIO when a damaged node lies partly in the range
 *   (the rest of the range is erased).
 */
int xa_erase_range(struct xarray *xa, uint32_t first, uint32_t last);

/*
 * xa_find() - the first entry at or after an index.
 * @idx: where to start; on success the index of the answer
 * @max: the last index to look at
 *
 * Context: as xa_load().
 * Return: the entry, 0 if there is none up to @max, or an error entry; for
 *   -EIO *idx is the first index that cannot be read, and the search can go
 *   on behind it with xa_find_after().
 */
xa_entry_t xa_find(struct xarray *xa, uint32_t *idx, uint32_t max);

/* xa_find_after() - the first entry behind an index; else as xa_find(). */
xa_entry_t xa_find_after(struct xarray *xa, uint32_t *idx, uint32_t max);

/* xa_empty() - is there no entry at all?  Damage counts as an entry. */
bool xa_empty(struct xarray *xa);

/*
 * xa_for_each() - iterate over the entries.
 * @xa: the array
 * @index: a uint32_t variable: the index of @entry
 * @entry: an xa_entry_t variable
 *
 * Entries that come or go meanwhile may be seen or not.  An error entry is
 * visited like any other: ask xa_is_err().
 */
#define xa_for_each_range(xa, index, entry, start, last)                                                               \
	for ((index) = (start), (entry) = xa_find((xa), &(index), (last)); (entry) != 0;                               \
	     (entry) = xa_find_after((xa), &(index), (last)))
#define xa_for_each_start(xa, index, entry, start) xa_for_each_range(xa, index, entry, start, XA_MAX_INDEX)
#define xa_for_each(xa, index, entry) xa_for_each_start(xa, index, entry, 0)

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
