/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the parameters to an open pool with the disks that were asked for.
 *
 * Everything that can be refused is refused before anything is written: first
 * by the parameters alone, then by whether the file exists, then by what the
 * pool holds.  A start that fails after that removes what it made: its disks,
 * and a new pool file.
 */
#include "plugin/start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/nbdkit.h"
#include "plugin/params.h"
#include "plugin/say.h"

#define MIB (UINT64_C(1) << 20)

struct prmem_pool *the_pool;

/* What the pool holds, as one listing saw it. */
struct found_disks {
	struct prmem_instance_info *disks;
	size_t nr;
};

static int
remember_disk(void *opaque, const struct prmem_instance_info *info)
{
	struct found_disks *found = opaque;
	struct prmem_instance_info *grown = realloc(found->disks, (found->nr + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	found->disks = grown;
	found->disks[found->nr++] = *info;
	return 0;
}

static const struct prmem_instance_info *
find_disk(const struct found_disks *found, const char *name)
{
	for (size_t i = 0; i < found->nr; i++) {
		if (strcmp(found->disks[i].name, name) == 0)
			return &found->disks[i];
	}
	return NULL;
}

/*
 * default_pool_size() - room for all that the disks can hold: their pages, an
 * index of one page for each 512 of them (and of those, and so on), a record
 * each, and an eighth more, so that overwriting a full disk stays fast: in an
 * ordinary file a replaced page is free only after the next sync.  The file is
 * thin: unused pages take no space.
 */
static uint64_t
default_pool_size(void)
{
	uint64_t nr_pages = 64, slack;

	for (size_t i = 0; i < params.nr_wanted; i++) {
		uint64_t level = (params.wanted[i].size_bytes - 1) / PRMEM_PAGE_SIZE + 1;

		nr_pages += level + 2;
		do {
			level = (level + 511) / 512;
			nr_pages += level;
		} while (level > 1);
		if (nr_pages >= PRMEM_POOL_SIZE_MAX / PRMEM_PAGE_SIZE)
			return PRMEM_POOL_SIZE_MAX;
	}
	slack = nr_pages / 8 > 2 * MIB / PRMEM_PAGE_SIZE ? nr_pages / 8 : 2 * MIB / PRMEM_PAGE_SIZE;
	nr_pages = (nr_pages + slack + 511) / 512 * 512;
	return nr_pages >= PRMEM_POOL_SIZE_MAX / PRMEM_PAGE_SIZE ? PRMEM_POOL_SIZE_MAX : nr_pages * PRMEM_PAGE_SIZE;
}

/*
 * check_new_pool() - may the pool, which does not exist, be made?
 * Not in place of a missing device node: /dev is in RAM.
 */
static int
check_new_pool(bool read_only)
{
	const char *slash = strrchr(params.pool, '/');
	struct stat st;
	char *dir;
	int r;

	if (strncmp(params.pool, "/dev/", 5) == 0 && strncmp(params.pool, "/dev/shm/", 9) != 0) {
		nbdkit_error("device %s does not exist: ndctl list -N shows the devices there are, and ndctl "
			     "create-namespace -m devdax makes one",
			     params.pool);
		return -1;
	}
	if (read_only) {
		nbdkit_error("pool %s does not exist, and nothing is made with -r: correct the path or leave out -r",
			     params.pool);
		return -1;
	}
	if (params.format == PRMEM_FORMAT_NEVER) {
		nbdkit_error("pool %s does not exist, and nothing is made with format=never: correct the path or give "
			     "format=auto",
			     params.pool);
		return -1;
	}
	if (params.nr_wanted == 0 && params.pool_size_bytes == 0) {
		nbdkit_error("pool %s does not exist: give size= to make it with a disk of that size", params.pool);
		return -1;
	}
	dir = strndup(params.pool, slash && slash > params.pool ? (size_t)(slash - params.pool) : 1);
	if (!dir) {
		nbdkit_error("no memory");
		return -1;
	}
	r = stat(dir, &st);
	if (r < 0)
		nbdkit_error("directory %s of pool %s cannot be used (%s): make it first", dir, params.pool,
			     strerror(errno));
	free(dir);
	return r;
}

/* report_sizes() - say which of the given sizes are ignored, because what they are for exists. */
static void
report_sizes(const struct found_disks *found, bool existed, const struct prmem_pool_info *pool_info)
{
	char has[SIZE_TEXT_BYTES], asked[SIZE_TEXT_BYTES];

	for (size_t i = 0; i < params.nr_wanted; i++) {
		const struct wanted_disk *wanted = &params.wanted[i];
		const struct prmem_instance_info *disk = find_disk(found, wanted->name);

		if (disk && !disk->damaged && disk->size_bytes != wanted->size_bytes)
			say("disk %s exists and has %s: the size given, %s, is not applied", disk->name,
			    size_text(disk->size_bytes, has), size_text(wanted->size_bytes, asked));
	}
	if (existed && params.pool_size_bytes != 0 && params.pool_size_bytes != pool_info->size_bytes)
		say("pool %s exists and has %s: pool-size=, %s, is not applied", params.pool,
		    size_text(pool_info->size_bytes, has), size_text(params.pool_size_bytes, asked));
}

/* check_disks() - do the disks that were asked for exist, or can they be made? */
static int
check_disks(const struct found_disks *found, const struct prmem_pool_info *info, size_t nr_missing, bool read_only)
{
	uint64_t not_for_new = info->nr_kept_back + info->nr_reserved;

	if (params.disk && params.nr_wanted == 0 && !find_disk(found, params.disk)) {
		char names[300] = "";
		size_t len = 0;

		for (size_t i = 0; i < found->nr && len < sizeof(names) - PRMEM_NAME_MAX - 16; i++)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i > 0 ? ", " : "",
						found->disks[i].name);
		nbdkit_error("disk %s does not exist in pool %s (there: %s): correct disk=%s", params.disk, params.pool,
			     found->nr > 0 ? names : "none", read_only ? "" : ", or give size= to make it");
		return -1;
	}
	if (nr_missing == 0)
		return 0;
	if (read_only) {
		for (size_t i = 0; i < params.nr_wanted; i++) {
			if (find_disk(found, params.wanted[i].name))
				continue;
			nbdkit_error("disk %s does not exist in pool %s, and nothing is made with -r: leave out -r to "
				     "make it, or its size to go without it",
				     params.wanted[i].name, params.pool);
			break;
		}
		return -1;
	}
	if (found->nr + nr_missing > params.max_disks) {
		nbdkit_error("pool %s has %zu disks, and %zu more are too many for max-disks=%u: remove some or give a "
			     "larger max-disks=",
			     params.pool, found->nr, nr_missing, params.max_disks);
		return -1;
	}
	if (info->nr_free < not_for_new + nr_missing) {
		nbdkit_error("pool %s is full: there is no room for %zu more disks; trim, or remove a disk, or use a "
			     "larger pool",
			     params.pool, nr_missing);
		return -1;
	}
	return 0;
}

/* make_disks() - make all that are missing, or none. */
static int
make_disks(const struct found_disks *found)
{
	struct prmem_error err = {0};

	for (size_t i = 0; i < params.nr_wanted; i++) {
		struct prmem_disk_args args = {
			.name = params.wanted[i].name,
			.size_bytes = params.wanted[i].size_bytes,
		};

		if (find_disk(found, args.name) || prmem_disk_create(the_pool, &args, sizeof args, &err) == 0)
			continue;
		nbdkit_error("disk %s was not made in pool %s: %s", args.name, params.pool,
			     err.message[0] ? err.message : strerror(-err.code));
		while (i-- > 0) {
			if (!find_disk(found, params.wanted[i].name) &&
			    prmem_remove(the_pool, PRMEM_SUBSYSTEM_RAMDISK, params.wanted[i].name, NULL) < 0)
				say("disk %s was made and could not be removed again", params.wanted[i].name);
		}
		return -1;
	}
	return 0;
}

/*
 * look_over() - list the pool's disks, and check whether the start can go on.
 * @ret_nr_missing: how many of the disks that were asked for do not exist
 * Return: 0 and *ret_found, to be freed; -1 when it cannot, and said why.
 */
static int
look_over(struct prmem_pool *pool, bool read_only, struct found_disks *ret_found, size_t *ret_nr_missing)
{
	struct found_disks found = {0};
	struct prmem_pool_info info;
	size_t nr_missing = 0;

	prmem_pool_info(pool, &info, sizeof info);
	if (prmem_list(pool, PRMEM_SUBSYSTEM_RAMDISK, remember_disk, &found) != 0) {
		nbdkit_error("no memory to list the disks of pool %s", params.pool);
		free(found.disks);
		return -1;
	}
	for (size_t i = 0; i < params.nr_wanted; i++)
		nr_missing += !find_disk(&found, params.wanted[i].name);
	if (check_disks(&found, &info, nr_missing, read_only) < 0) {
		free(found.disks);
		return -1;
	}
	*ret_found = found;
	*ret_nr_missing = nr_missing;
	return 0;
}

/*
 * check_first() - look at the disks before the pool is opened for writing,
 * because that open writes (the owner record, repairs): a start that is refused
 * leaves the pool byte for byte as it was.  It costs a second walk through the
 * pool, but only when something was asked for that may be refused.
 * Return: 0; -1 when it was refused, and said so.
 */
static int
check_first(const struct prmem_open_args *args)
{
	struct prmem_open_args look = *args;
	struct prmem_error err = {0};
	struct found_disks found = {0};
	struct prmem_pool *pool = NULL;
	size_t nr_missing;
	int r;

	look.read_only = true;
	look.format = PRMEM_FORMAT_NEVER;
	look.notice = NULL;
	if (prmem_open(&look, sizeof look, &pool, &err) < 0) {
		if (params.nr_wanted > 0)
			return 0; /* perhaps it can be made; if not, opening it for writing says why */
		nbdkit_error("%s", err.message);
		return -1;
	}
	r = look_over(pool, false, &found, &nr_missing);
	free(found.disks);
	prmem_close(pool);
	return r;
}

/* fill_pool() - make the disks that are missing. */
static int
fill_pool(bool existed, bool read_only)
{
	struct found_disks found = {0};
	struct prmem_pool_info info;
	size_t nr_missing;
	int r = 0;

	if (look_over(the_pool, read_only, &found, &nr_missing) < 0)
		return -1;
	prmem_pool_info(the_pool, &info, sizeof info);
	report_sizes(&found, existed, &info);
	if (nr_missing > 0)
		r = make_disks(&found);
	if (found.nr + nr_missing == 0)
		say("pool %s has no disks: give size= to make one", params.pool);
	free(found.disks);
	return r;
}

static void
on_notice(void *opaque, const char *message)
{
	(void)opaque;
	say("%s", message);
}

int
start_pool(bool read_only)
{
	struct prmem_error err = {0};
	struct prmem_open_args args = {
		.path = params.pool,
		.pool_size_bytes = params.pool_size_bytes,
		.format = params.format,
		.read_only = read_only,
		.region_paths = params.region_paths,
		.degraded = params.degraded,
		.notice = on_notice,
	};
	struct stat st;
	bool existed = stat(params.pool, &st) == 0 || errno != ENOENT;

	if (read_only && params.format == PRMEM_FORMAT_FORCE) {
		nbdkit_error(
			"format=force and -r contradict each other: nothing is made with -r; leave one of them out");
		return -1;
	}
	if (params.degraded && !read_only) {
		nbdkit_error("degraded= is given without -r: a pool with a missing region is served read-only at most");
		return -1;
	}
	if (!existed && check_new_pool(read_only) < 0)
		return -1;
	if (args.pool_size_bytes == 0 && params.nr_wanted > 0)
		args.pool_size_bytes = default_pool_size();
	if (existed && !read_only && params.format != PRMEM_FORMAT_FORCE && (params.disk || params.nr_wanted > 0) &&
	    check_first(&args) < 0)
		return -1;
	if (prmem_open(&args, sizeof args, &the_pool, &err) < 0) {
		nbdkit_error("%s", err.message);
		return -1;
	}
	if (fill_pool(existed, read_only) == 0)
		return 0;
	prmem_close(the_pool);
	the_pool = NULL;
	if (!existed)
		unlink(params.pool);
	return -1;
}
