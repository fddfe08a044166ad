/* SPDX-License-Identifier: BSD-3-Clause */
#include "prmem/memory/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "prmem/memory/error.h"

/* ---- device-DAX, as sysfs tells it ---- */

static bool
is_device_dax(const struct stat *st)
{
	char path[80], target[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof path, "/sys/dev/char/%u:%u/subsystem", major(st->st_rdev), minor(st->st_rdev));
	n = readlink(path, target, sizeof target - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	name = strrchr(target, '/');
	return strcmp(name == NULL ? target : name + 1, "dax") == 0;
}

/* A number of the device's, in decimal or hexadecimal.  Return: 0 if it has none. */
static uint64_t
device_number(const struct stat *st, const char *attribute)
{
	char path[96], text[32] = "";
	CLEANUP_CLOSE int fd = -1;

	snprintf(path, sizeof path, "/sys/dev/char/%u:%u/%s", major(st->st_rdev), minor(st->st_rdev), attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
		return 0;
	return strtoull(text, NULL, 0);
}

uint64_t
backing_device_align(int fd)
{
	uint64_t align;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return UINT64_C(2) << 20;
	align = device_number(&st, "align");
	if (align == 0)
		align = device_number(&st, "device/align");
	return align == 0 ? UINT64_C(2) << 20 : align;
}

/* ---- what the path names ---- */

static int
check_type(const struct stat *st, const char *path, bool *ret_is_device, struct prmem_error *err)
{
	if (S_ISREG(st->st_mode) || (S_ISCHR(st->st_mode) && is_device_dax(st))) {
		*ret_is_device = S_ISCHR(st->st_mode);
		return 0;
	}
	if (S_ISDIR(st->st_mode))
		return error_set(err, -EINVAL, "pool %.200s: is a directory: name a file in it", path);
	if (S_ISBLK(st->st_mode))
		return error_set(
			err, -EINVAL,
			"pool %.200s: is a block device, which cannot be mapped as memory: use the device-DAX node "
			"(/dev/daxX.Y; ndctl makes one of a /dev/pmemN) or a file on a DAX file system on it",
			path);
	if (S_ISCHR(st->st_mode))
		return error_set(err, -EINVAL,
				 "pool %.200s: is a character device, but no device-DAX node (/dev/daxX.Y)", path);
	return error_set(err, -EINVAL, "pool %.200s: is a %s, neither a file nor a device-DAX node (/dev/daxX.Y)", path,
			 S_ISFIFO(st->st_mode) ? "pipe" : "socket");
}

static int
open_existing(const struct prmem_open_args *args, const char *path, const struct stat *st, struct backing *b,
	      struct prmem_error *err)
{
	struct stat opened;
	int r;

	r = check_type(st, args->path, &b->is_device, err);
	if (r < 0)
		return r;
	b->fd = open(path, (args->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (b->fd < 0) {
		r = -errno;
		return error_set(err, r, "pool %.200s: may not be opened for %s: %s", args->path,
				 args->read_only ? "reading" : "reading and writing", strerror(-r));
	}
	if (fstat(b->fd, &opened) < 0 || opened.st_dev != st->st_dev || opened.st_ino != st->st_ino) {
		close(b->fd);
		return error_set(err, -EAGAIN, "pool %.200s: was replaced while it was opened: try again", args->path);
	}
	return 0;
}

/*
 * What a descriptor of the caller's is open on.  A duplicate of it would have
 * one lock with it, which goes with the last of them; and libpmem opens by path.
 */
static int
open_by_fd(const struct prmem_open_args *args, struct backing *b, struct prmem_error *err)
{
	int mode = fcntl(args->fd, F_GETFL);
	char path[FD_PATH_BYTES];
	struct stat st;
	int r;

	if (mode < 0 || fstat(args->fd, &st) < 0) {
		r = -errno;
		return error_set(err, r, "pool %.200s: descriptor %d: %s", args->path, args->fd, strerror(-r));
	}
	/* To open it anew could give more than whoever handed it over meant to; O_PATH gives nothing by itself. */
	if ((mode & O_PATH) == 0 && (mode & O_ACCMODE) != O_RDWR &&
	    ((mode & O_ACCMODE) == O_WRONLY || !args->read_only))
		return error_set(err, -EACCES, "pool %.200s: descriptor %d is not open for %s", args->path, args->fd,
				 args->read_only ? "reading" : "reading and writing");
	b->by_fd = true;
	backing_fd_path(args->fd, path);
	return open_existing(args, path, &st, b, err);
}

void
backing_fd_path(int fd, char ret_path[FD_PATH_BYTES])
{
	snprintf(ret_path, FD_PATH_BYTES, "/proc/self/fd/%d", fd);
}

/* ---- new files ---- */

static int
check_new_size(const struct prmem_open_args *args, struct prmem_error *err)
{
	uint64_t size = args->pool_size_bytes;

	if (size < PRMEM_POOL_SIZE_MIN)
		return error_set(err, -EINVAL,
				 "pool %.200s: %" PRIu64 " bytes are too few for a pool: it needs %" PRIu64, args->path,
				 size, PRMEM_POOL_SIZE_MIN);
	if (size > PRMEM_POOL_SIZE_MAX)
		return error_set(err, -EINVAL,
				 "pool %.200s: %" PRIu64 " bytes are more than a pool can have: at most %" PRIu64,
				 args->path, size, PRMEM_POOL_SIZE_MAX);
	return 0;
}

/*
 * Would a file made here lie in the memory that holds the device nodes?  It is
 * a device that is missing, then, or a name that is misspelt.
 */
static bool
is_among_devices(const char *path)
{
	char copy[PATH_MAX];
	struct stat dir, dev, root;

	snprintf(copy, sizeof copy, "%s", path);
	return stat(dirname(copy), &dir) == 0 && stat("/dev", &dev) == 0 && stat("/", &root) == 0 &&
	       dir.st_dev == dev.st_dev && dev.st_dev != root.st_dev;
}

static int
create(const struct prmem_open_args *args, struct backing *b, struct prmem_error *err)
{
	const char *path = args->path;
	int r;

	if (args->read_only || args->format == PRMEM_FORMAT_NEVER || is_among_devices(path))
		return error_set(err, -ENOENT, "pool %.200s: no such file or device", path);
	if (args->pool_size_bytes == 0)
		return error_set(err, -ENOENT, "pool %.200s: no such file: give a size to make a new pool there", path);
	r = check_new_size(args, err);
	if (r < 0)
		return r;
	b->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (b->fd < 0) {
		r = -errno;
		return error_set(err, r, "pool %.200s: cannot be created: %s", path, strerror(-r));
	}
	b->created = true;
	return 0;
}

static int
open_or_create(const struct prmem_open_args *args, struct backing *b, struct prmem_error *err)
{
	struct stat st;
	int r;

	if (stat(args->path, &st) == 0)
		return open_existing(args, args->path, &st, b, err);
	if (errno == ENOENT)
		return create(args, b, err);
	r = -errno;
	return error_set(err, r, "pool %.200s: cannot be looked at: %s", args->path, strerror(-r));
}

int
backing_open(const struct prmem_open_args *args, struct backing *ret_backing, struct prmem_error *err)
{
	struct backing b = {.fd = -1};
	int r;

	if (args->path == NULL || args->path[0] == '\0')
		return error_set(err, -EINVAL, "no pool was named");
	r = (args->flags & PRMEM_OPEN_FD) != 0 ? open_by_fd(args, &b, err) : open_or_create(args, &b, err);
	/* Another process was faster: what it made is looked at once. */
	if (r == -EEXIST)
		r = open_or_create(args, &b, err);
	if (r == 0)
		*ret_backing = b;
	return r;
}

bool
backing_may_grow_to(uint64_t size_bytes)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || size_bytes <= limit.rlim_cur;
}

/* Give an empty file its size; space for it is taken later, in steps. */
static int
set_size(struct backing *b, const struct prmem_open_args *args, struct prmem_error *err)
{
	uint64_t size = ROUND_DOWN(args->pool_size_bytes, PRMEM_PAGE_SIZE);
	int r;

	if (args->read_only || args->format == PRMEM_FORMAT_NEVER || args->pool_size_bytes == 0)
		return error_set(err, -EINVAL, "pool %.200s: is empty: there is no pool in it", args->path);
	r = check_new_size(args, err);
	if (r < 0)
		return r;
	b->was_empty = true;
	if (!backing_may_grow_to(size))
		r = -EFBIG;
	else
		r = ftruncate(b->fd, (off_t)size) < 0 ? -errno : 0;
	if (r < 0)
		return error_set(err, r, "pool %.200s: cannot be made %" PRIu64 " bytes long: %s", args->path, size,
				 strerror(-r));
	b->size_bytes = size;
	return 0;
}

int
backing_size(struct backing *backing, const struct prmem_open_args *args, struct prmem_error *err)
{
	struct stat st;
	int r;

	if (fstat(backing->fd, &st) < 0) {
		r = -errno;
		return error_set(err, r, "pool %.200s: cannot be looked at: %s", args->path, strerror(-r));
	}
	if (!backing->is_device && st.st_size == 0)
		return set_size(backing, args, err);

	backing->size_bytes = backing->is_device ? device_number(&st, "size") : (uint64_t)st.st_size;
	if (backing->size_bytes < PRMEM_POOL_SIZE_MIN)
		return error_set(err, -EINVAL,
				 "pool %.200s: too small for a pool: %" PRIu64 " bytes, it needs %" PRIu64, args->path,
				 backing->size_bytes, PRMEM_POOL_SIZE_MIN);
	if (backing->size_bytes > PRMEM_POOL_SIZE_MAX)
		return error_set(err, -EINVAL,
				 "pool %.200s: larger than a pool can be: %" PRIu64 " bytes, at most %" PRIu64,
				 args->path, backing->size_bytes, PRMEM_POOL_SIZE_MAX);
	return 0;
}

bool
backing_is_named(int fd, const char *path)
{
	struct stat named, opened;

	return stat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev &&
	       named.st_ino == opened.st_ino;
}

int
backing_check_name(const struct backing *backing, const char *path, struct prmem_error *err)
{
	if (backing->by_fd || backing_is_named(backing->fd, path))
		return 0;
	return error_set(err, -EAGAIN, "pool %.200s: was replaced or removed while it was opened: try again", path);
}

void
backing_undo(const struct backing *backing, const char *path, bool locked)
{
	/* What could not be locked may be another process's by now, unless it can be locked after all. */
	if (!locked && flock(backing->fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (backing->created) {
		/* Only if the name is still that of the file which this open made. */
		if (backing_is_named(backing->fd, path))
			(void)unlink(path);
	} else if (backing->was_empty && ftruncate(backing->fd, 0) < 0) {
		return; /* it stays a file of zeroes, which the next open takes as blank */
	}
}

int
backing_sync_name(const struct backing *backing, const char *path)
{
	char copy[PATH_MAX];
	CLEANUP_CLOSE int dir = -1;

	if (!backing->was_empty)
		return 0;
	if (fsync(backing->fd) < 0)
		return -errno;
	if (backing->by_fd)
		return 0;
	snprintf(copy, sizeof copy, "%s", path);
	dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsync(dir) < 0)
		return -errno;
	return 0;
}
