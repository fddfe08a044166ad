/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a pool lies on: finding it, making a new file, undoing that.
 */
#ifndef PRMEM_BACKING_H
#define PRMEM_BACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "prmem/prmem.h"

struct backing {
	int fd;
	bool is_device; /* device-DAX; else a regular file */
	bool created; /* by this open */
	bool was_empty; /* was without content before this open */
	bool by_fd; /* the path is only what it is called */
	uint64_t size_bytes; /* after backing_size() */
};

/*
 * backing_open() - open what args->path names, or create it; with
 * PRMEM_OPEN_FD what args->fd is open on, anew, so that the lock is not shared
 * with other descriptors.
 * Does not give a new file its size: that waits for the lock.
 * Return: 0 and *ret_backing; -ENOENT, -EACCES, -EBADF, -EINVAL (what it is),
 *   or what the system said.
 */
MUST_CHECK int backing_open(const struct prmem_open_args *args, struct backing *ret_backing, struct prmem_error *err);

/*
 * backing_size() - learn the size, and give an empty file its.
 * A file that was created, or emptied, by an open that was killed has none:
 * it gets one here as a new file does.
 * Context: the lock is held.
 * Return: 0; -EINVAL (too small, too large), -EFBIG, -ENOSPC, ...
 */
MUST_CHECK int backing_size(struct backing *backing, const struct prmem_open_args *args, struct prmem_error *err);

/* backing_fd_path() - a path to what a descriptor is open on, for those who only take paths. */
#define FD_PATH_BYTES 32
void backing_fd_path(int fd, char ret_path[FD_PATH_BYTES]);

/* backing_is_named() - is an open file what the path names now? */
bool backing_is_named(int fd, const char *path);

/*
 * backing_check_name() - is what was opened, and is locked by now, still what
 * the path names?  Who made a new file and failed removes it, and a pool
 * without a name would be gone with its server.
 * Context: the lock is held.
 * Return: 0, -EAGAIN.
 */
MUST_CHECK int backing_check_name(const struct backing *backing, const char *path, struct prmem_error *err);

/*
 * backing_undo() - the open failed: take back what it did to the file.
 * Context: the lock is held and the file is not mapped; or it was not locked
 *   (@locked is false): if another process has locked it nothing is taken back.
 */
void backing_undo(const struct backing *backing, const char *path, bool locked);

/* backing_sync_name() - make a new file's name durable.  Return: 0, -errno. */
MUST_CHECK int backing_sync_name(const struct backing *backing, const char *path);

/* backing_device_align() - the length in bytes that mappings of a device-DAX node are multiples of. */
uint64_t backing_device_align(int fd);

/*
 * backing_may_grow_to() - would a file of this size be within the process's
 * limit?  To go beyond it is a signal, not an error.
 */
bool backing_may_grow_to(uint64_t size_bytes);

#endif
