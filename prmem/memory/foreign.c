/* SPDX-License-Identifier: BSD-3-Clause */
#include "prmem/memory/foreign.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/crc32c.h"
#include "prmem/memory/backing.h"
#include "prmem/memory/error.h"
#include "prmem/prmem.h"

#define MIB (UINT64_C(1) << 20)

/* Where known formats have what they are known by: LUKS goes to 4 MiB, ZFS from 512 KiB before the end. */
#define SIGNATURES_HEAD (8 * MIB)
#define SIGNATURES_TAIL (1 * MIB)

#define SCAN_EDGE (16 * MIB)
#define SCAN_STEP (2 * MIB)

/* ---- libblkid ---- */

static int
write_all(int fd, const char *buf, uint64_t len_bytes, uint64_t off)
{
	while (len_bytes > 0) {
		ssize_t n = pwrite(fd, buf, len_bytes, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len_bytes -= (uint64_t)n;
		off += (uint64_t)n;
	}
	return 0;
}

/*
 * libblkid reads, and a device-DAX node cannot be read: give it a file of the
 * same length with the parts in which it looks.
 */
static int
stand_in(const struct pm *pm, int *ret_fd)
{
	uint64_t head = MIN(SIGNATURES_HEAD, pm->len_bytes);
	uint64_t tail = MIN(SIGNATURES_TAIL, pm->len_bytes);
	int fd, r;

	if (!backing_may_grow_to(pm->len_bytes))
		return -EFBIG;
	fd = memfd_create("prmem-probe", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = ftruncate(fd, (off_t)pm->len_bytes) < 0 ? -errno : 0;
	if (r == 0)
		r = write_all(fd, pm->base, head, 0);
	if (r == 0)
		r = write_all(fd, (char *)pm->base + pm->len_bytes - tail, tail, pm->len_bytes - tail);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static const char *
lookup(blkid_probe pr, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(pr, name, &value, NULL) == 0 ? value : NULL;
}

static const char *
usage_in_words(const char *usage)
{
	if (usage != NULL && strcmp(usage, "filesystem") == 0)
		return "a file system";
	if (usage != NULL && strcmp(usage, "raid") == 0)
		return "a member of a volume or RAID set";
	if (usage != NULL && strcmp(usage, "crypto") == 0)
		return "an encrypted volume";
	return "a signature";
}

static void
describe(blkid_probe pr, char *ret_what, size_t what_bytes)
{
	const char *type = lookup(pr, "TYPE"), *table = lookup(pr, "PTTYPE"), *label = lookup(pr, "LABEL");

	if (type == NULL)
		snprintf(ret_what, what_bytes, "a partition table (%.40s)", table != NULL ? table : "unknown");
	else if (label != NULL)
		snprintf(ret_what, what_bytes, "%s (%.40s, labelled \"%.40s\")", usage_in_words(lookup(pr, "USAGE")),
			 type, label);
	else
		snprintf(ret_what, what_bytes, "%s (%.40s)", usage_in_words(lookup(pr, "USAGE")), type);
	/* A label is what somebody else wrote: it goes into one line for people. */
	for (char *p = ret_what; *p != '\0'; p++) {
		if (iscntrl((unsigned char)*p))
			*p = '?';
	}
}

int
probe_signature(const struct pm *pm, int fd, bool is_device, char *ret_what, size_t what_bytes)
{
	CLEANUP_CLOSE int stand_in_fd = -1;
	blkid_probe pr;
	int r;

	if (is_device) {
		r = stand_in(pm, &stand_in_fd);
		if (r < 0)
			return r;
		fd = stand_in_fd;
	}
	pr = blkid_new_probe();
	if (pr == NULL)
		return -ENOMEM;
	if (blkid_probe_set_device(pr, fd, 0, 0) != 0 || blkid_probe_enable_superblocks(pr, 1) != 0 ||
	    blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_USAGE) != 0 ||
	    blkid_probe_enable_partitions(pr, 1) != 0) {
		blkid_free_probe(pr);
		return -EIO;
	}
	r = blkid_do_safeprobe(pr);
	switch (r) {
	case 0:
		describe(pr, ret_what, what_bytes);
		r = 1;
		break;
	case 1:
		r = 0;
		break;
	case -2:
		snprintf(ret_what, what_bytes, "the signatures of several formats");
		r = 1;
		break;
	default:
		r = -EIO;
	}
	blkid_free_probe(pr);
	return r;
}

/* ---- anything at all ---- */

/* Return: 0, -ECANCELED. */
static int
tell(const struct probe_watch *watch, uint64_t done, uint64_t total)
{
	return watch != NULL && watch->progress != NULL && watch->progress(watch->opaque, done, total) != 0
		       ? -ECANCELED
		       : 0;
}

/* A piece of a file that is no hole.  Return: 1 and where, 0, -errno. */
static int
scan_piece(int fd, off_t off, off_t end, char *buf, size_t buf_bytes, uint64_t *ret_off)
{
	while (off < end) {
		ssize_t n = pread(fd, buf, (size_t)MIN(end - off, (off_t)buf_bytes), off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0; /* it became shorter */
		for (ssize_t i = 0; i < n; i += (ssize_t)PRMEM_PAGE_SIZE) {
			if (!mem_is_zero(buf + i, (size_t)MIN(n - i, (ssize_t)PRMEM_PAGE_SIZE))) {
				*ret_off = (uint64_t)(off + i);
				return 1;
			}
		}
		off += n;
	}
	return 0;
}

static int
scan_file(int fd, uint64_t from, const struct probe_watch *watch, uint64_t *ret_off)
{
	const size_t buf_bytes = MIB;
	CLEANUP_FREE char *buf = malloc(buf_bytes);
	off_t off = (off_t)from, end = lseek(fd, 0, SEEK_END), data, hole;
	int r = 0;

	if (buf == NULL)
		return -ENOMEM;
	if (end < 0)
		return -errno;
	while (r == 0 && off < end) {
		data = lseek(fd, off, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return 0; /* a hole up to the end */
		hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (data < 0 || hole < 0) {
			/* A file system that cannot tell: all of it may be data. */
			data = off;
			hole = end;
		}
		off = MIN(hole, data + (off_t)SCAN_STEP);
		r = scan_piece(fd, data, off, buf, buf_bytes, ret_off);
		if (r == 0)
			r = tell(watch, (uint64_t)off, (uint64_t)end);
	}
	return r;
}

static int
scan_memory(const struct pm *pm, uint64_t from, const struct probe_watch *watch, uint64_t *ret_off)
{
	uint64_t off = from;
	int r = 0;

	while (r == 0 && off < pm->len_bytes) {
		bool in_edge = off < SCAN_EDGE || pm->len_bytes - off <= SCAN_EDGE;

		if (!mem_is_zero((char *)pm->base + off, PRMEM_PAGE_SIZE)) {
			*ret_off = off;
			return 1;
		}
		if (in_edge)
			off += PRMEM_PAGE_SIZE;
		else
			off = MIN(off + SCAN_STEP, pm->len_bytes - SCAN_EDGE);
		if (off % MIB == 0)
			r = tell(watch, off, pm->len_bytes);
	}
	return r;
}

int
probe_data(const struct pm *pm, int fd, bool is_device, uint64_t from, const struct probe_watch *watch,
	   uint64_t *ret_off)
{
	return is_device ? scan_memory(pm, from, watch, ret_off) : scan_file(fd, from, watch, ret_off);
}

/* ---- before a first format ---- */

/* To read more than this before formatting is worth a word. */
#define LONG_SCAN_BYTES (UINT64_C(1) << 30)

static int
refuse(const struct prmem_open_args *args, bool is_device, const char *what, struct prmem_error *err)
{
	if (is_device)
		return error_set(
			err, -EMEDIUMTYPE,
			"pool %.120s: no pool, but %.110s; nothing was changed. RAM reserved by memmap= holds random "
			"bytes after a cold boot: if there is nothing to keep, format=force makes a new pool of it, "
			"and everything in it is lost (with prmemctl: format --force)",
			args->path, what);
	return error_set(err, -EMEDIUMTYPE,
			 "pool %.120s: no pool, but %.110s; nothing was changed. If there is nothing to keep, "
			 "format=force makes a new pool of it, and everything in it is lost (with prmemctl: "
			 "format --force)",
			 args->path, what);
}

int
blank_check(const struct backing *backing, const struct pm *pm, const struct prmem_open_args *args,
	    struct prmem_error *err)
{
	bool is_device = backing->is_device;
	const struct probe_watch watch = {args->progress, args->opaque};
	char what[112];
	struct stat st;
	uint64_t off;
	int r;

	/* It got its length by this open. */
	if (backing->was_empty)
		return 0;
	r = probe_signature(pm, backing->fd, is_device, what, sizeof what);
	if (r == 1)
		return refuse(args, is_device, what, err);
	if (r == 0 && fstat(backing->fd, &st) == 0 && !is_device && (uint64_t)st.st_blocks * 512 > LONG_SCAN_BYTES)
		args_notice(args, "pool %.200s: reading all of it (%" PRIu64 " MiB) to be sure that it is blank",
			    args->path, ((uint64_t)st.st_blocks * 512) >> 20);
	if (r == 0)
		r = probe_data(pm, backing->fd, is_device, 0, &watch, &off);
	if (r == -ECANCELED)
		return error_set(err, r, "pool %.200s: interrupted while it was searched for what is on it", args->path);
	if (r < 0)
		return error_set(err, r, "pool %.200s: cannot be searched for what is on it: %s", args->path,
				 strerror(-r));
	if (r == 0)
		return 0;
	snprintf(what, sizeof what, "data of an unknown kind (at byte %" PRIu64 ")", off);
	return refuse(args, is_device, what, err);
}
