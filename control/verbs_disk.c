/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Disks: create, resize, rename, set, remove.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "control/verb.h"

int
verb_create(const struct control *control, struct json_object *request, struct json_object *result,
	    struct prmem_error *err)
{
	const struct prmem_disk_args args = {
		.name = get_text(request, "disk"),
		.size_bytes = get_number(request, "size", 0),
		.description = get_text(request, "description"),
		.read_only = get_flag(request, "read_only"),
		.reserve = get_flag(request, "reserve"),
	};
	int r = prmem_disk_create(control->pool, &args, sizeof args, err);

	return r < 0 ? r : report_disk(control, args.name, result, err);
}

static int
count_data(void *opaque, uint64_t off, uint64_t len_bytes, bool hole)
{
	(void)off;
	if (!hole)
		*(uint64_t *)opaque += len_bytes;
	return 0;
}

int
data_behind(const struct control *control, const char *name, uint64_t off, uint64_t *ret_bytes, struct prmem_error *err)
{
	struct prmem_disk *disk;
	uint64_t size_bytes, bytes = 0;
	int r = open_disk(control, name, &disk, err);

	if (r < 0)
		return r;
	size_bytes = prmem_disk_size(disk);
	if (off < size_bytes)
		r = prmem_disk_extents(disk, size_bytes - off, off, false, count_data, &bytes);
	prmem_disk_close(disk);
	if (r == 0)
		*ret_bytes = bytes;
	return r < 0 ? verb_error(err, r, "disk %.80s: cannot be looked through: %s", name, strerror(-r)) : 0;
}

int
verb_resize(const struct control *control, struct json_object *request, struct json_object *result,
	    struct prmem_error *err)
{
	const char *name = get_text(request, "disk");
	uint64_t size_bytes = get_number(request, "size", 0), behind = 0;
	int r = data_behind(control, name, size_bytes, &behind, err);

	if (r < 0)
		return r;
	r = prmem_disk_resize(control->pool, name, size_bytes, get_flag(request, "force"), err);
	if (r == -EEXIST)
		return verb_error(err, r,
				  "disk %.80s: %" PRIu64 " bytes of data lie behind the new end: they are lost with "
				  "--force",
				  name, behind);
	if (r < 0)
		return r;
	put_number(result, "lost", behind);
	return report_disk(control, name, result, err);
}

int
verb_rename(const struct control *control, struct json_object *request, struct json_object *result,
	    struct prmem_error *err)
{
	const char *name = get_text(request, "disk"), *to = get_text(request, "to");
	struct prmem_instance_info info;
	struct prmem_instance *inst;
	int r = find_disk(control, name, &info, err);

	if (r == 0)
		r = prmem_get(control->pool, PRMEM_SUBSYSTEM_RAMDISK, name, 0, &inst, err);
	if (r < 0)
		return r;
	r = prmem_rename(inst, to, err);
	prmem_put(inst);
	if (r == -EEXIST)
		verb_error(err, r, "pool %.200s: disk %.80s exists already", control->path, to);
	return r < 0 ? r : report_disk(control, to, result, err);
}

int
verb_set(const struct control *control, struct json_object *request, struct json_object *result,
	 struct prmem_error *err)
{
	bool read_only = get_flag(request, "read_only"), reserve = get_flag(request, "reserve");
	const struct prmem_disk_changes changes = {
		.read_only = has_key(request, "read_only") ? &read_only : NULL,
		.reserve = has_key(request, "reserve") ? &reserve : NULL,
		.description = get_text(request, "description"),
	};
	const char *name = get_text(request, "disk");
	int r;

	if (changes.read_only == NULL && changes.reserve == NULL && changes.description == NULL)
		return verb_error(err, -EINVAL, "disk %.80s: nothing was said that is to be set", name);
	r = prmem_disk_set(control->pool, name, &changes, sizeof changes, err);
	return r < 0 ? r : report_disk(control, name, result, err);
}

static int
wipe_progress(void *opaque, uint64_t done, uint64_t total)
{
	return report_progress(opaque, done * PRMEM_PAGE_SIZE, total * PRMEM_PAGE_SIZE);
}

int
verb_remove(const struct control *control, struct json_object *request, struct json_object *result,
	    struct prmem_error *err)
{
	const char *name = get_text(request, "disk");
	unsigned int flags = (get_flag(request, "force") ? PRMEM_REMOVE_FORCE : 0) |
			     (get_flag(request, "wipe") ? PRMEM_REMOVE_WIPE : 0);
	struct prmem_instance_info info;
	int r = find_disk(control, name, &info, err);

	if (r < 0)
		return r;
	r = prmem_disk_remove(control->pool, name, flags, wipe_progress, (void *)control, err);
	if (r < 0)
		return r;
	put_text(result, "name", name);
	put_number(result, "freed", (info.nr_entries + info.nr_nodes) * PRMEM_PAGE_SIZE);
	put_flag(result, "wiped", (flags & PRMEM_REMOVE_WIPE) != 0);
	return 0;
}
