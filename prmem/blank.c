/* SPDX-License-Identifier: BSD-3-Clause */
#include "prmem/blank.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "prmem/error.h"
#include "prmem/probe.h"

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
