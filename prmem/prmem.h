/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * <prmem.h> - persistent memory that programs share by name.
 *
 * A pool is memory that survives; in it live named instances, each with a
 * piece of data and a persistent XArray (<xarray.h>); a pram disk is an
 * instance of the subsystem "ramdisk" whose XArray holds the pages that were
 * ever written.  libprmem(3) is the manual.
 *
 * Functions return 0 or a negative errno; outputs named ret_... are untouched
 * on failure.  Those that meet a pool from outside also fill a struct
 * prmem_error (which may be NULL) with one line for people.  The library
 * prints nothing.  All functions may be called from several threads at once,
 * unless they say otherwise.
 *
 * Structs may grow at their end in later versions, so their size is handed
 * over with them, as in prmem_open(&args, sizeof args, ...):
 *   - A struct that the caller fills (..._args, ..._changes) starts as zeroes
 *     (`= {.path = ...}` does that): a field that is 0 asks for nothing.  What
 *     an older program's struct does not have counts as 0.  What this library
 *     does not know must be 0, or the call fails with -E2BIG and does nothing.
 *     -EINVAL when it is no longer than a pointer.
 *   - A struct that the library fills is filled as far as the caller's goes;
 *     where that goes on beyond what this library knows, it gets zeroes.
 *   - What a callback is handed is followed by zeroes, PRMEM_CALLBACK_BYTES in
 *     all: fields of later versions can be read, and are 0.
 * struct prmem_error, struct prmem_loan and struct prmem_op_stats stay as they
 * are.
 *
 * "Durable" means: on persistent memory, it survives power failure; on an
 * ordinary file, it survives the death of the program, and prmem_sync() makes
 * it survive the operating system.
 */
#ifndef PRMEM_H
#define PRMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xarray.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library is built with all symbols hidden; these are the ones to be seen. */
#pragma GCC visibility push(default)

#define PRMEM_PAGE_SHIFT 12
#define PRMEM_PAGE_SIZE (UINT64_C(1) << PRMEM_PAGE_SHIFT)

#define PRMEM_POOL_SIZE_MIN (UINT64_C(256) << 10) /* smallest pool, bytes */
#define PRMEM_POOL_SIZE_MAX (UINT64_C(16) << 40) /* 2^32 pages, bytes */
#define PRMEM_DISK_SIZE_MAX (UINT64_C(16) << 40) /* 2^32 pages, bytes */
#define PRMEM_NAME_MAX 63 /* characters, without the NUL */
#define PRMEM_DESCRIPTION_MAX 255
#define PRMEM_ORDER_MAX 18 /* largest run: 2^18 pages, 1 GiB */
#define PRMEM_ALLOC_MAX 4080 /* largest buffer of prmem_alloc(), bytes */
#define PRMEM_CALLBACK_BYTES 1024 /* readable of each struct that a callback is handed */

#define PRMEM_SUBSYSTEM_RAMDISK "ramdisk"

struct prmem_pool;
struct prmem_instance;
struct prmem_disk;

struct prmem_error {
	int code; /* the negative errno that is also returned */
	char message[480]; /* one line: what, where, what to do; no newline */
};

/* ------------------------------------------------------------------ pools */

enum prmem_format {
	PRMEM_FORMAT_AUTO, /* format where nothing can be lost: new or blank */
	PRMEM_FORMAT_NEVER, /* only open */
	PRMEM_FORMAT_FORCE, /* format, whatever is there */
};

#define PRMEM_OPEN_FD 1u /* what @fd is open on, whatever its name is */
#define PRMEM_NO_SIGBUS 2u /* leave the process's action on SIGBUS alone: memory that goes bad is not guarded */

struct prmem_open_args {
	const char *path; /* device-DAX node or file */
	uint64_t pool_size_bytes; /* of a new file; 0: refuse to make one */
	const char *label; /* of a new pool, up to 63 characters; NULL for none */
	enum prmem_format format;
	bool read_only; /* change not a byte, share the lock */
	unsigned int nr_mark_threads; /* of the walk at open; 0: one a CPU, at most 8 */
	const char *const
		*region_paths; /* where added regions may lie, when not where they were; NULL-ended, or NULL */
	bool degraded; /* with read_only: open it also when an added region is missing */
	/* Told what a person should know (repairs, what world it is), or NULL. */
	void (*notice)(void *opaque, const char *message);
	/* Told how far a long search is for what a format would destroy, in bytes; not 0 ends it.  Or NULL. */
	int (*progress)(void *opaque, uint64_t done, uint64_t total);
	void *opaque;
	unsigned int flags; /* PRMEM_OPEN_FD, PRMEM_NO_SIGBUS */
	int fd; /* with PRMEM_OPEN_FD */
};

/*
 * prmem_open() - open a pool, or make one.
 *
 * Takes the lock, checks the superblocks, walks every instance to learn which
 * pages are in use.  A failed open changes nothing.  A pool with a damaged
 * node or record opens read-only and says so.
 *
 * With PRMEM_OPEN_FD the pool is what @fd is open on: a file, whether or not it
 * has a name (memfd_create(), one that was unlinked), or a device-DAX node.
 * @path is what messages call it, then; it may be NULL.  The library opens it
 * once more by /proc/self/fd: the lock and the mapping are its own, and @fd can
 * be closed as soon as this returns.  @fd must be open for what the pool is
 * opened for, reading or reading and writing; an empty file gets the length
 * @pool_size_bytes.
 *
 * While a pool is open the library handles SIGBUS for the whole process: memory
 * that goes bad becomes -EIO.  The first open installs the handler; the last
 * close puts back what was there, unless another handler was installed
 * meanwhile.  libprmem(3) says more, and what PRMEM_NO_SIGBUS costs.
 *
 * Context: one call at a time in a process.
 * Persistence: a new pool is durable on return; interrupted, it is formatted
 *   again by the next open.
 * Return: 0 and *ret_pool; else
 *   -ENOENT   no such file, and none was to be made
 *   -EACCES   may not be opened, or @fd is not open for writing
 *   -EBADF    @fd is not open
 *   -EBUSY    another process has it (the message names its PID)
 *   -EMEDIUMTYPE not a pool and not blank
 *   -EINVAL   too small, of another size than it says, not a file or device; a
 *             flag that is not known
 *   -E2BIG    @args asks for something that this library does not know
 *   -EPROTONOSUPPORT made by a newer version
 *   -EIO      both superblocks are damaged
 *   -ENXIO    an added region is missing or is not this pool's (the message
 *             names it); with read_only and degraded the pool opens all the
 *             same: disks that are whole can be read, and what lay there
 *             answers -EIO
 *   -ECANCELED progress() ended it
 *   -ENOSPC, -ENOMEM, or what the system said
 */
int prmem_open(const struct prmem_open_args *args, size_t args_bytes, struct prmem_pool **ret_pool,
	       struct prmem_error *err);

struct prmem_probe_info {
	uint64_t size_bytes;
	char uuid[37];
	char label[64];
};

/*
 * prmem_probe() - learn which pool it is, without opening it.
 * Takes no lock, so that it works on a pool that another process has open.
 * Return: 0 and *ret_info; otherwise as prmem_open(), but for -EBUSY, -ENXIO
 *   and -ENOSPC.
 */
int prmem_probe(const char *path, struct prmem_probe_info *ret_info, size_t info_bytes, struct prmem_error *err);

/*
 * prmem_find_holder() - find the process that has a pool open.
 * Takes no lock.  Where the process that took the lock is gone and a child of
 * it has the pool, this looks at every process of the system: it is for after
 * -EBUSY.
 * Return: 0 and *ret_pid, 0 if nobody has it or it cannot be learnt; otherwise
 *   -ENOENT, -EACCES, -EINVAL, or what the system said of the file.
 */
int prmem_find_holder(const char *path, int32_t *ret_pid, struct prmem_error *err);

/*
 * prmem_close() - let a pool go.
 * Context: no disk, instance or borrowed page of it may be in use any more.
 * Persistence: a page-cache pool is synced.
 */
void prmem_close(struct prmem_pool *pool);

/*
 * prmem_after_fork() - tell a pool that the process that opened it forked and
 * this is the child that goes on with it: the owner record gets its PID.
 */
void prmem_after_fork(struct prmem_pool *pool);

/*
 * prmem_sync() - make all that was written before durable against a crash of
 * the operating system.  On persistent memory it already is.
 * Return: 0; -EIO when an earlier or this msync failed: final, the pool is
 *   read-only from then on.
 */
int prmem_sync(struct prmem_pool *pool);

struct prmem_pool_info {
	uint64_t size_bytes; /* the pool, its metadata included */
	uint64_t nr_pages; /* all pages */
	uint64_t nr_free; /* pages nothing reaches */
	uint64_t nr_kept_back; /* of these, kept for overwriting */
	uint64_t nr_reserved; /* pages promised to disks and not yet used */
	uint64_t nr_damaged; /* slots found damaged by the walk at open */
	uint64_t nr_bad; /* pages put aside because their memory went bad */
	uint64_t low_space_bytes; /* see prmem_set_low_space(); 0: no threshold */
	uint64_t created_s; /* seconds since 1970 */
	uint32_t nr_instances;
	uint32_t nr_regions;
	uint32_t version;
	bool is_pmem; /* a fence makes durable (else prmem_sync()) */
	bool read_only;
	bool is_low; /* fewer bytes than the threshold are left */
	char uuid[37];
	char label[64];
	char read_only_why[160]; /* empty unless the pool went read-only by itself */
};

void prmem_pool_info(struct prmem_pool *pool, struct prmem_pool_info *ret_info, size_t info_bytes);

/*
 * prmem_set_label() - give the pool a label; up to 63 characters, or "".
 * Context: any.
 * Persistence: durable on return; old or new after a crash.
 * Return: 0, -EINVAL (too long, or a control character), -EROFS, -EIO.
 */
int prmem_set_label(struct prmem_pool *pool, const char *label, struct prmem_error *err);

/*
 * prmem_set_low_space() - say when there is little room left.
 * @low_bytes: the threshold; 0 for none
 *
 * When fewer than @low_bytes are left to those who have no reservation, the
 * pool's notice is called once; and once more when half as much again as
 * @low_bytes is left.  It is called by the thread whose request crossed the
 * threshold, with no lock held.
 * Context: any.  Persistence: none; it is forgotten with the pool.
 */
void prmem_set_low_space(struct prmem_pool *pool, uint64_t low_bytes);

/* ----------------------------------------------------------------- growth */

/*
 * prmem_grow() - make a pool in a file larger, while it is used.
 * @size_bytes: the new size of the pool; rounded down to whole pages
 *
 * Pages stay at their addresses.  Space of the file system is taken as it is
 * needed, as for a new pool.
 * Context: one growth at a time (others wait); no request waits for long.
 * Persistence: durable on return; interrupted, the next writable open takes
 *   it back, or finds it done.
 * Return: 0 (also when it has just that size); -EINVAL (smaller, too large),
 *   -EOPNOTSUPP (a device, or a pool of several regions: add a region),
 *   -ENOSPC, -EFBIG (beyond a limit of the process), -EROFS, -ENOMEM, -EIO.
 *   On failure the pool is as it was.
 */
int prmem_grow(struct prmem_pool *pool, uint64_t size_bytes, struct prmem_error *err);

struct prmem_region_args {
	const char *path; /* device-DAX node or file */
	bool force; /* whatever is there, it is lost */
	uint64_t region_size_bytes; /* of a new file; 0: refuse to make one */
};

/*
 * prmem_add_region() - grow a pool by a further device or file, in use.
 * It becomes part of the pool for good: the pool does not open without it.
 * It must be of the pool's kind: persistent memory, or not.
 * Context, Persistence: as prmem_grow().
 * Return: 0; -EMEDIUMTYPE (there is something on it), -EEXIST (it is a part of
 *   this pool already, or a copy of one; forced, too), -EBUSY (somebody has it), -EINVAL (too small, not its kind),
 * -ENOSPC (the pool has as many regions as it can have, or 16 TiB), -EROFS, -ENOMEM, -EIO, or what the system said.  On
 * failure the pool is as it was, and a file that was to be made is not there.
 */
int prmem_add_region(struct prmem_pool *pool, const struct prmem_region_args *args, size_t args_bytes,
		     struct prmem_error *err);

struct prmem_region_info {
	uint64_t start_page;
	uint64_t nr_pages;
	bool is_missing; /* in a pool that was opened read-only without it */
	char path[256];
	char uuid[37]; /* of the pool for the first one */
};

/*
 * prmem_region_info() - one of the pool's regions.
 * @number: 0 to nr_regions - 1
 * Return: 0, -ENOENT.
 */
int prmem_region_info(struct prmem_pool *pool, unsigned int number, struct prmem_region_info *ret_info,
		      size_t info_bytes);

/* ------------------------------------------------------- check and repair */

enum prmem_finding_kind {
	PRMEM_FOUND_SUPERBLOCK, /* a copy of the superblock, or a region's header */
	PRMEM_FOUND_DIRECTORY, /* the index of instances: instances cannot be found */
	PRMEM_FOUND_RECORD, /* an instance's record: it cannot be opened */
	PRMEM_FOUND_NODE, /* a node of an index: a range cannot be read */
	PRMEM_FOUND_ENTRY, /* single entries of an index cannot be read */
	PRMEM_FOUND_CONTENT, /* content does not match its checksum */
	PRMEM_FOUND_MEMORY, /* content cannot be read at all: bad memory */
	PRMEM_FOUND_SHARED, /* two entries name one page */
	PRMEM_FOUND_FREE, /* an entry names a page that counts as free */
	PRMEM_FOUND_LOST, /* known as lost since an earlier repair: no damage any more */
	PRMEM_FOUND_BEHIND, /* a copy of the superblock that a crash left behind the other one: no damage */
};

/*
 * struct prmem_finding - one thing that is wrong.  Neighbours of one kind are
 * one finding.
 */
struct prmem_finding {
	enum prmem_finding_kind kind;
	const char *subsystem; /* of the instance; "" where it is none's */
	const char *name;
	bool is_disk; /* off and len_bytes are of the disk's bytes; */
	uint64_t off; /* else of indices of the instance's array */
	uint64_t len_bytes;
	bool repaired; /* prmem_repair(): it is whole again */
	const char *text; /* in words, one line, without what stands above */
};

#define PRMEM_CHECK_SCRUB 1u /* read all content and verify its checksums */

struct prmem_check_args {
	unsigned int flags; /* PRMEM_CHECK_... */
	const char *disk; /* only this one; NULL for all that is in the pool */
	uint64_t max_bytes_per_s; /* of the scrub, so as not to be in the way; 0: no limit */
	/*
	 * Called now and then, in units of pages; @total is an estimate while
	 * the pool is written to.  Returns 0 to go on; anything else ends the
	 * check with -ECANCELED.  May be NULL, as the next one.
	 */
	int (*progress)(void *opaque, uint64_t done, uint64_t total);
	/* Called for each finding, which is valid during the call only. */
	void (*report)(void *opaque, const struct prmem_finding *finding);
	/*
	 * prmem_repair() only: called with what is about to be changed, before
	 * it is: @len_bytes of the pool from byte @off on.  Returns 0, or a
	 * negative errno, which ends the repair.  May be NULL: nothing is kept.
	 */
	int (*keep)(void *opaque, uint64_t off, const void *old, size_t len_bytes);
	void *opaque;
};

struct prmem_check_result {
	uint64_t nr_instances;
	uint64_t nr_nodes; /* nodes of all indices */
	uint64_t nr_entries; /* entries of all instances */
	uint64_t nr_pages; /* pages of the pool that are reached */
	uint64_t nr_findings; /* reported, PRMEM_FOUND_LOST and _BEHIND left out */
	uint64_t nr_damaged; /* indices that cannot be reached */
	uint64_t nr_crc_errors; /* pages, runs, buffers and data whose content is damaged */
	uint64_t nr_shared; /* pages that two entries name */
	uint64_t nr_leaked; /* pages neither reached, nor free, nor put aside: 0 when nobody else uses the pool */
	uint64_t nr_lost; /* indices known as lost; prmem_repair(): given up */
	uint64_t nr_scrubbed_bytes;
	uint64_t nr_repaired; /* prmem_repair(): findings that are whole again */
};

/*
 * prmem_check() - check that everything in a pool proves itself.
 * @args: NULL, and 0 as its size, for a check of the structure, and no callbacks
 *
 * Works on any open pool, used by others meanwhile or not.  Changes nothing.
 * Context: any thread; takes the instance lock now and then, and holds up
 *   nobody for long.  The callbacks may not call back into the library.
 * Return: 0 when all was looked at: ret_result->nr_findings is 0 if all is
 *   well; -ENOENT (args->disk), -ECANCELED, -ENOMEM, -E2BIG.
 */
int prmem_check(struct prmem_pool *pool, const struct prmem_check_args *args, size_t args_bytes,
		struct prmem_check_result *ret_result, size_t result_bytes, struct prmem_error *err);

/*
 * prmem_repair() - make a damaged pool whole again, as far as can be proved.
 * @args: flags, progress, report, keep; PRMEM_CHECK_SCRUB also settles pages
 *   whose content is damaged
 *
 * What can be proved is put right: single bits of the index, lost instances
 * whose record is found.  What is lost is marked as lost: it answers -EIO
 * until it is written anew.  The pool must have been opened writable, which
 * a damaged pool refuses to be used as: it stays read-only, and nobody may
 * have a disk or an instance of it open.  Afterwards close it and open it
 * again: then it is writable and clean.
 * Context: nobody else uses the pool.
 * Persistence: each change is durable and whole by itself: interrupted, it
 *   can be started again.
 * Return: 0 when what could be done was done: nr_repaired findings of
 *   nr_findings are as before the damage, the rest, nr_lost indices, is given
 *   up; -EBUSY, -EROFS (opened read-only), -ECANCELED,
 *   -ENOMEM, -EIO, or what keep() returned.
 */
int prmem_repair(struct prmem_pool *pool, const struct prmem_check_args *args, size_t args_bytes,
		 struct prmem_check_result *ret_result, size_t result_bytes, struct prmem_error *err);

/* ------------------------------------------------------------- statistics */

#define PRMEM_LATENCY_BUCKETS 40

/*
 * struct prmem_op_stats - one kind of request.  Requests that failed count in
 * nr_errors and nowhere else.  One request in eight is timed, and each of
 * 64 KiB and more: latency[i] counts those that took 2^i to 2^(i+1) - 1
 * nanoseconds.
 */
struct prmem_op_stats {
	uint64_t nr;
	uint64_t bytes;
	uint64_t nr_errors;
	uint64_t latency[PRMEM_LATENCY_BUCKETS];
};

struct prmem_stats {
	struct prmem_op_stats read;
	struct prmem_op_stats write;
	struct prmem_op_stats trim; /* prmem_disk_zero() */
	uint64_t nr_crc_errors; /* pages read that did not match their checksum */
};

/*
 * prmem_disk_stats() - what was done to a disk since the pool was opened.
 * Context: any; the numbers of requests under way may be seen in part.
 * Return: 0, -ENOENT.
 */
int prmem_disk_stats(struct prmem_pool *pool, const char *name, struct prmem_stats *ret_stats, size_t stats_bytes);

/* prmem_pool_stats() - the same of all disks, those that were removed included. */
void prmem_pool_stats(struct prmem_pool *pool, struct prmem_stats *ret_stats, size_t stats_bytes);

/* -------------------------------------------------------------- instances */

#define PRMEM_CREATE 1u /* make it if it does not exist */
#define PRMEM_EXCL 2u /* with PRMEM_CREATE: -EEXIST if it does */

/*
 * prmem_get() - find, or make, a named instance.
 * @subsystem, @name: 1 to 63 printable characters without '/', '@', white space
 * @flags: PRMEM_CREATE, PRMEM_EXCL
 *
 * Context: takes the pool's instance lock.
 * Persistence: a new instance is durable on return.
 * Return: 0 and *ret_inst, to be given back with prmem_put(); -ENOENT,
 *   -EEXIST, -EINVAL (a name), -ENOSPC, -EROFS, -ENOMEM, -EIO (its record is
 *   damaged).
 */
int prmem_get(struct prmem_pool *pool, const char *subsystem, const char *name, unsigned int flags,
	      struct prmem_instance **ret_inst, struct prmem_error *err);

/* prmem_put() - give an instance back; NULL is allowed. */
void prmem_put(struct prmem_instance *inst);

struct prmem_instance_info {
	char subsystem[PRMEM_NAME_MAX + 1];
	char name[PRMEM_NAME_MAX + 1];
	char description[PRMEM_DESCRIPTION_MAX + 1];
	char uuid[37];
	uint64_t created_s; /* seconds since 1970 */
	uint64_t size_bytes; /* of a disk; 0 for other instances */
	uint64_t nr_entries; /* pages its XArray holds */
	uint64_t nr_nodes; /* nodes of its XArray */
	uint64_t nr_damaged; /* slots found damaged at open */
	uint64_t nr_promised; /* pages and nodes that are reserved for it and not used yet */
	uint32_t nr_handles; /* times it is open, the caller's own included */
	bool read_only;
	bool reserved;
	bool damaged; /* its root cannot be read */
};

void prmem_instance_info(struct prmem_instance *inst, struct prmem_instance_info *ret_info, size_t info_bytes);

/*
 * prmem_list() - call @fn for each instance, in the order they were made.
 * @subsystem: only those of it, or NULL for all
 * @fn: returns 0 to go on; anything else ends the list and is returned
 * Context: takes the instance lock; @fn may not call back into the library.
 */
int prmem_list(struct prmem_pool *pool, const char *subsystem,
	       int (*fn)(void *opaque, const struct prmem_instance_info *info), void *opaque);

/*
 * prmem_rename() - give an instance another name in its subsystem.
 * Persistence: durable on return; old or new after a crash.
 * Return: 0, -EEXIST, -EINVAL, -ENOSPC, -EROFS, -EIO.
 */
int prmem_rename(struct prmem_instance *inst, const char *new_name, struct prmem_error *err);

/*
 * prmem_remove() - remove an instance and free all that it holds.
 * Later calls on handles that are open answer -ESHUTDOWN.
 * Persistence: durable on return; there, or gone as a whole after a crash.
 * Return: 0, -ENOENT, -EROFS, -EIO.
 */
int prmem_remove(struct prmem_pool *pool, const char *subsystem, const char *name, struct prmem_error *err);

/* prmem_xarray() - the instance's array; lives as long as the instance. */
struct xarray *prmem_xarray(struct prmem_instance *inst);

/*
 * prmem_set_data() - set the instance's data.
 * @object: from prmem_alloc() or prmem_alloc_pages(); NULL for none.  The
 *   instance owns it from then on; what was the data before is freed.
 * @len_bytes: how much of it is the data
 * Persistence: content and pointer durable on return; old or new after a crash.
 * Return: 0, -EINVAL, -ENOSPC, -EROFS, -ESHUTDOWN.
 */
int prmem_set_data(struct prmem_instance *inst, void *object, size_t len_bytes);

/*
 * prmem_get_data() - copy the instance's data, checked against its proof.
 * @ret_len_bytes: its length, also when @buf is too small for it
 * Return: 0; -ENODATA when there is none, -ERANGE when @buf is too small,
 *   -EIO when it is damaged, -ESHUTDOWN.
 */
int prmem_get_data(struct prmem_instance *inst, void *buf, size_t buf_bytes, size_t *ret_len_bytes);

/* ------------------------------------------------------------ allocations */

/*
 * What is allocated and never published (by prmem_set_data() or as an entry
 * of an instance's XArray) is free again at the next open, by design.
 */

/*
 * prmem_alloc_pages() - take a run of 2^@order pages, aligned to its size.
 * Content: anything (what was there before).
 * Return: 0 and *ret_addr; -EINVAL (order), -ENOSPC, -EROFS.
 */
int prmem_alloc_pages(struct prmem_pool *pool, unsigned int order, void **ret_addr);

/* prmem_free_pages() - give back a run that is not published. */
void prmem_free_pages(struct prmem_pool *pool, void *addr, unsigned int order);

/*
 * prmem_alloc() - take a small buffer, aligned to 8 bytes, 1 to PRMEM_ALLOC_MAX bytes.
 * Return: 0 and *ret_addr; -EINVAL (length), -ENOSPC, -EROFS.
 */
int prmem_alloc(struct prmem_pool *pool, size_t len_bytes, void **ret_addr);

/* prmem_free() - give back a buffer that is not published. */
void prmem_free(struct prmem_pool *pool, void *addr);

/*
 * prmem_mk_entry() - the entry by which an object is published at an index.
 * @object: from prmem_alloc() or prmem_alloc_pages(); its content is final:
 *   the entry carries its checksum
 * Persistence: the content is durable on return.  Store the entry with
 *   xa_store(), xa_cmpxchg() or xa_exchange() at just this index.
 * Return: 0 and *ret_entry; -EINVAL when it is no such object.
 */
int prmem_mk_entry(struct prmem_instance *inst, uint32_t idx, void *object, xa_entry_t *ret_entry);

/*
 * prmem_free_entry() - free what an entry that was replaced refers to.
 * Borrowers keep it until they give it back.  Values and 0 are ignored.
 */
void prmem_free_entry(struct prmem_instance *inst, xa_entry_t entry);

/*
 * struct prmem_loan - a page, run or buffer that is being read in place.
 */
struct prmem_loan {
	const void *addr;
	size_t len_bytes;
	uint64_t opaque[2];
};

/*
 * prmem_borrow() - read what an entry refers to in place, without a copy.
 * The content has been checked against its proof, and stays as it is until
 * it is given back, whatever happens at the index.
 * Return: 0 and *ret_loan; -ENODATA where there is nothing or a value, -EIO
 *   when it is damaged, -ENOMEM, -ESHUTDOWN.
 */
int prmem_borrow(struct prmem_instance *inst, uint32_t idx, struct prmem_loan *ret_loan);

/* prmem_give_back() - end a loan. */
void prmem_give_back(struct prmem_instance *inst, struct prmem_loan *loan);

/* -------------------------------------------------------------- pram disks */

struct prmem_disk_args {
	const char *name;
	uint64_t size_bytes; /* 1 to PRMEM_DISK_SIZE_MAX */
	bool read_only;
	bool reserve; /* promise room for all of it now */
	const char *description; /* or NULL */
};

/*
 * prmem_disk_create() - make a pram disk; all of it reads as zeroes.
 * Persistence: durable on return; there or not after a crash.
 * Return: 0, -EEXIST, -EINVAL, -ENOSPC, -EROFS, -ENOMEM, -E2BIG.
 */
int prmem_disk_create(struct prmem_pool *pool, const struct prmem_disk_args *args, size_t args_bytes,
		      struct prmem_error *err);

/*
 * prmem_disk_begin() - make a disk that nobody sees before it is finished.
 * @args: size_bytes is an upper bound here
 * @ret_disk: to be written; then prmem_disk_finish() and prmem_disk_close()
 *
 * Closed without having been finished the disk is gone, and all that was
 * written to it; so it is, by the next writable open, after a crash.
 * Context: any.
 * Persistence: none before prmem_disk_finish().
 * Return: 0 and *ret_disk; -EBUSY (another of that name has been begun), or
 *   as prmem_disk_create(), but for -EEXIST.
 */
int prmem_disk_begin(struct prmem_pool *pool, const struct prmem_disk_args *args, size_t args_bytes,
		     struct prmem_disk **ret_disk, struct prmem_error *err);

#define PRMEM_FINISH_REPLACE 1u /* a disk that has the name goes */

/*
 * prmem_disk_finish() - let a disk that was begun have its name.
 * @size_bytes: its size in the end; nothing was written behind it
 * @flags: PRMEM_FINISH_...
 *
 * With PRMEM_FINISH_REPLACE it takes the place of the disk that has the name,
 * in one step, and with it the description and the reservation; the pages of
 * the other one are free then.
 * Context: takes the instance lock.  Once it was called the disk is like any
 *   other one.
 * Persistence: all of it durable on return (prmem_sync() as for any other
 *   disk); after a crash the old disk is there, or the new one.
 * Return: 0; -EEXIST (the name is taken, or something lies behind the end),
 *   -EBUSY (the other one is open), -EPERM (it is read-only), -ENOSPC (the
 *   reservation), -EINVAL, -EROFS, -EIO.  Nothing was changed then.
 */
int prmem_disk_finish(struct prmem_disk *disk, uint64_t size_bytes, unsigned int flags, struct prmem_error *err);

/*
 * prmem_disk_open() - open a pram disk; has no effect on the pool.
 * Return: 0 and *ret_disk; -ENOENT, -EIO, -ENOMEM.
 */
int prmem_disk_open(struct prmem_pool *pool, const char *name, struct prmem_disk **ret_disk, struct prmem_error *err);

/* prmem_disk_close() - NULL is allowed. */
void prmem_disk_close(struct prmem_disk *disk);

uint64_t prmem_disk_size(struct prmem_disk *disk); /* bytes; as it was when the disk was opened */
bool prmem_disk_is_read_only(struct prmem_disk *disk); /* the disk, or the pool */

/* prmem_disk_info() - name, size, allocated pages and so on. */
void prmem_disk_info(struct prmem_disk *disk, struct prmem_instance_info *ret_info, size_t info_bytes);

/*
 * prmem_disk_resize() - change the size.
 * @force: also when data lies behind the new end; it is lost then
 * Persistence: durable on return; old or new after a crash.
 * Return: 0, -EINVAL, -EEXIST (data behind the new end), -ENOSPC, -EROFS, -ESHUTDOWN.
 */
int prmem_disk_resize(struct prmem_pool *pool, const char *name, uint64_t size_bytes, bool force,
		      struct prmem_error *err);

/*
 * What prmem_disk_set() changes: what is not NULL.
 */
struct prmem_disk_changes {
	const bool *read_only; /* handles that are open stay as they are */
	const bool *reserve; /* promise room for all of it, or give the promise up */
	const char *description;
};

/*
 * prmem_disk_set() - change properties of a disk, all at once.
 * Context: takes the instance lock.
 * Persistence: durable on return; old or new after a crash.
 * Return: 0, -ENOENT, -EINVAL, -ENOSPC (cannot reserve), -EROFS, -EIO, -E2BIG.
 */
int prmem_disk_set(struct prmem_pool *pool, const char *name, const struct prmem_disk_changes *changes,
		   size_t changes_bytes, struct prmem_error *err);

#define PRMEM_REMOVE_FORCE 1u /* also while it is open: later calls answer -ESHUTDOWN */
#define PRMEM_REMOVE_WIPE 2u /* overwrite its pages with zeroes before they are free */

/*
 * prmem_disk_remove() - remove a disk.
 * @flags: PRMEM_REMOVE_...
 * @progress: of a wipe, in pages, or NULL; anything but 0 leaves the rest of
 *   the wipe to the next open of the pool
 *
 * The disk is gone at once for all who look for it; a wipe goes on then.
 * What a loan holds is not wiped.
 * Context: takes the instance lock, not during a wipe.
 * Persistence: durable on return; there, or gone as a whole after a crash.  A
 *   wipe that was interrupted is ended by the next writable open.
 * Return: 0; -ECANCELED when @progress ended the wipe; -ENOENT, -EBUSY (it is
 *   open, and not PRMEM_REMOVE_FORCE), -EROFS, -EIO.
 */
int prmem_disk_remove(struct prmem_pool *pool, const char *name, unsigned int flags,
		      int (*progress)(void *opaque, uint64_t done, uint64_t total), void *opaque,
		      struct prmem_error *err);

/*
 * The data path.  @off and @len_bytes: any, in bytes, within the size the
 * disk was opened with.  No function allocates DRAM.
 *
 * Context: any thread, any number at once; may wait for a grace period when
 *   the pool is nearly full.
 * Persistence: what was written, zeroed or trimmed is durable on return; each
 *   4 KiB page of it is old or new after a crash.
 * Return: 0, or
 *   -EINVAL    beyond the end
 *   -EIO       a page that is damaged would have to be read; all other pages
 *              of a write may or may not have been written
 *   -ENOSPC    no page left (writing where nothing was)
 *   -EPERM     the disk is read-only
 *   -EROFS     the pool is read-only
 *   -ESHUTDOWN the disk has been removed
 */
int prmem_disk_read(struct prmem_disk *disk, void *buf, size_t len_bytes, uint64_t off);
int prmem_disk_write(struct prmem_disk *disk, const void *buf, size_t len_bytes, uint64_t off);

/* prmem_disk_zero() - make a range read as zeroes; gives its pages back. */
int prmem_disk_zero(struct prmem_disk *disk, uint64_t len_bytes, uint64_t off);

/* prmem_disk_cache() - read and check a range, so that its next read is quick. */
int prmem_disk_cache(struct prmem_disk *disk, uint64_t len_bytes, uint64_t off);

/*
 * prmem_disk_extents() - tell data from holes.
 * @fn: called in order with extents that cover the range from its start,
 *   clipped to it, neighbours of different kinds; returns 0 to go on
 * @one: stop after the first
 * Work is in proportion to what is reported, not to the range.
 * Return: 0, what @fn returned, or as above.
 */
int prmem_disk_extents(struct prmem_disk *disk, uint64_t len_bytes, uint64_t off, bool one,
		       int (*fn)(void *opaque, uint64_t off, uint64_t len_bytes, bool hole), void *opaque);

/* What a slot of a disk's XArray says; prmem-format(5) has the kinds. */
enum prmem_slot_kind {
	PRMEM_SLOT_UNKNOWN, /* no kind that there is: damage */
	PRMEM_SLOT_HOLE,
	PRMEM_SLOT_PAGE,
	PRMEM_SLOT_RUN,
	PRMEM_SLOT_BUFFER,
	PRMEM_SLOT_VALUE,
	PRMEM_SLOT_NODE, /* where a node should be that does not prove itself */
	PRMEM_SLOT_BAD, /* the page that was there went bad */
	PRMEM_SLOT_LOST, /* a repair gave up what was there */
};

/*
 * struct prmem_slot - the slot that decides what a page of a disk reads as.
 * A leaf has one for each page; where there is no leaf, a slot of a node above
 * stands for all pages that would be under it.
 */
struct prmem_slot {
	uint64_t off; /* the range of the disk that it stands for, which may */
	uint64_t len_bytes; /* reach beyond the disk's end */
	uint64_t lineage; /* of the array: a part of each proof */
	uint64_t slot; /* as in the pool */
	uint64_t expected; /* with the proof as computed; 0 when there is none for this kind */
	uint32_t kind; /* enum prmem_slot_kind */
	uint32_t payload; /* page number of a page or a node */
	uint32_t proof; /* 28 bits, as stored */
	uint32_t expected_proof; /* as computed */
	uint32_t node_page; /* the page of the node that holds it */
	uint32_t number; /* in that node */
	uint32_t level; /* of that node: 0 for a leaf */
	bool in_node; /* false: the tree does not reach that far, which makes a hole */
	bool verifies;
	bool unreadable; /* what it points to cannot be read, or lies outside the pool */
};

/*
 * prmem_disk_slot() - look at the slot of one page, damaged or not.
 * @off: of any byte of the page
 * @slot_bytes: sizeof *@ret_slot as the caller knows it
 *
 * For people who look for damage.  Changes nothing.
 * Context: any.
 * Return: 0; -EINVAL beyond the end, -EIO when no slot can be found, -ESHUTDOWN.
 */
int prmem_disk_slot(struct prmem_disk *disk, uint64_t off, struct prmem_slot *ret_slot, size_t slot_bytes);

/* prmem_version() - the library's version, as "1.2.3". */
const char *prmem_version(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
