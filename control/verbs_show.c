/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What there is: info, list, map.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/verb.h"

#define CELLS_MAX 65536

struct sums {
	uint64_t nr_disks;
	uint64_t size_bytes;
};

static int
sum_up(void *opaque, const struct prmem_instance_info *info)
{
	struct sums *sums = opaque;

	sums->nr_disks++;
	sums->size_bytes += info->size_bytes;
	return 0;
}

static void
add_regions(const struct control *control, unsigned int nr, struct json_object *result)
{
	struct json_object *regions = json_object_new_array();

	for (unsigned int i = 0; i < nr; i++) {
		struct json_object *object = json_object_new_object();
		struct prmem_region_info region;

		if (prmem_region_info(control->pool, i, &region, sizeof region) < 0) {
			json_object_put(object);
			continue;
		}
		put_text(object, "path", region.path);
		put_text(object, "uuid", region.uuid);
		put_number(object, "start", region.start_page * PRMEM_PAGE_SIZE);
		put_number(object, "size", region.nr_pages * PRMEM_PAGE_SIZE);
		put_flag(object, "missing", region.is_missing);
		json_object_array_add(regions, object);
	}
	json_object_object_add(result, "regions", regions);
}

int
verb_info(const struct control *control, struct json_object *request, struct json_object *result,
	  struct prmem_error *err)
{
	struct prmem_pool_info info;
	struct sums sums = {0};
	uint64_t taken;

	(void)request, (void)err;
	prmem_pool_info(control->pool, &info, sizeof info);
	(void)prmem_list(control->pool, PRMEM_SUBSYSTEM_RAMDISK, sum_up, &sums);
	taken = info.nr_kept_back + info.nr_reserved;
	put_text(result, "uuid", info.uuid);
	put_text(result, "label", info.label);
	put_number(result, "format_version", info.version);
	put_number(result, "created", info.created_s);
	put_number(result, "size", info.size_bytes);
	put_number(result, "allocated", (info.nr_pages - info.nr_free) * PRMEM_PAGE_SIZE);
	put_number(result, "free", info.nr_free * PRMEM_PAGE_SIZE);
	put_number(result, "kept_back", info.nr_kept_back * PRMEM_PAGE_SIZE);
	put_number(result, "reserved", info.nr_reserved * PRMEM_PAGE_SIZE);
	put_number(result, "available", info.nr_free > taken ? (info.nr_free - taken) * PRMEM_PAGE_SIZE : 0);
	put_number(result, "disks", sums.nr_disks);
	put_number(result, "disks_size", sums.size_bytes);
	/* How much more the disks could hold than the pool has; 0 when all of them fit. */
	put_number(result, "over_commitment",
		   sums.size_bytes > info.size_bytes ? sums.size_bytes - info.size_bytes : 0);
	put_number(result, "instances", info.nr_instances);
	put_number(result, "low_space", info.low_space_bytes);
	put_flag(result, "is_low", info.is_low);
	put_number(result, "damaged_slots", info.nr_damaged);
	put_number(result, "bad_pages", info.nr_bad);
	put_flag(result, "persistent_memory", info.is_pmem);
	/* Who only looks opens any pool read-only: that says nothing of the pool. */
	put_flag(result, "read_only", info.read_only && (!control->reads_only || info.read_only_why[0] != '\0'));
	put_text(result, "read_only_why", info.read_only_why);
	add_regions(control, info.nr_regions, result);
	return 0;
}

static int
list_one(void *opaque, const struct prmem_instance_info *info)
{
	struct json_object *disk = json_object_new_object();

	if (disk == NULL)
		return -ENOMEM;
	add_disk(disk, info);
	json_object_array_add(opaque, disk);
	return 0;
}

int
verb_list(const struct control *control, struct json_object *request, struct json_object *result,
	  struct prmem_error *err)
{
	struct json_object *disks = json_object_new_array();

	(void)request, (void)err;
	json_object_object_add(result, "disks", disks);
	return prmem_list(control->pool, PRMEM_SUBSYSTEM_RAMDISK, list_one, disks);
}

/* ---- map ---- */

struct cells {
	uint64_t cell_bytes;
	uint64_t nr;
	uint64_t *used;
};

static int
fill_cells(void *opaque, uint64_t off, uint64_t len_bytes, bool hole)
{
	struct cells *cells = opaque;

	while (!hole && len_bytes > 0) {
		uint64_t cell = off / cells->cell_bytes;
		uint64_t part = (cell + 1) * cells->cell_bytes - off;

		if (part > len_bytes)
			part = len_bytes;
		if (cell < cells->nr)
			cells->used[cell] += part;
		off += part;
		len_bytes -= part;
	}
	return 0;
}

static int
map_disk(const struct control *control, const char *name, uint64_t nr_cells, struct json_object *maps,
	 struct prmem_error *err)
{
	struct json_object *map = json_object_new_object(), *used = json_object_new_array();
	struct cells cells = {0};
	struct prmem_disk *disk;
	uint64_t size_bytes;
	int r = open_disk(control, name, &disk, err);

	put_text(map, "name", name);
	json_object_object_add(map, "cells", used);
	json_object_array_add(maps, map);
	if (r < 0)
		return r;
	size_bytes = prmem_disk_size(disk);
	put_number(map, "size", size_bytes);
	/* Whole pages a cell, so that a cell that is full is seen as full. */
	cells.cell_bytes = (size_bytes / nr_cells + PRMEM_PAGE_SIZE) & ~(PRMEM_PAGE_SIZE - 1);
	if (size_bytes % nr_cells == 0 && (size_bytes / nr_cells) % PRMEM_PAGE_SIZE == 0)
		cells.cell_bytes = size_bytes / nr_cells;
	cells.nr = (size_bytes - 1) / cells.cell_bytes + 1;
	cells.used = calloc(cells.nr, sizeof *cells.used);
	r = cells.used == NULL ? -ENOMEM : prmem_disk_extents(disk, size_bytes, 0, false, fill_cells, &cells);
	prmem_disk_close(disk);
	put_number(map, "cell_size", cells.cell_bytes);
	for (uint64_t i = 0; r == 0 && i < cells.nr; i++)
		json_object_array_add(used, json_object_new_uint64(cells.used[i]));
	free(cells.used);
	return r < 0 ? verb_error(err, r, "disk %.80s: its map cannot be made: %s", name, strerror(-r)) : 0;
}

static int
name_one(void *opaque, const struct prmem_instance_info *info)
{
	json_object_array_add(opaque, json_object_new_string(info->name));
	return 0;
}

int
verb_map(const struct control *control, struct json_object *request, struct json_object *result,
	 struct prmem_error *err)
{
	struct json_object *names = json_object_new_array(), *maps = json_object_new_array();
	uint64_t nr_cells = get_number(request, "cells", 0);
	const char *disk = get_text(request, "disk");
	struct prmem_pool_info info;
	int r = 0;

	json_object_object_add(result, "disks", maps);
	if (nr_cells < 1 || nr_cells > CELLS_MAX) {
		json_object_put(names);
		return verb_error(err, -EINVAL, "map: 1 to %d cells", CELLS_MAX);
	}
	prmem_pool_info(control->pool, &info, sizeof info);
	put_number(result, "size", info.size_bytes);
	put_number(result, "allocated", (info.nr_pages - info.nr_free) * PRMEM_PAGE_SIZE);
	if (disk != NULL)
		json_object_array_add(names, json_object_new_string(disk));
	else
		(void)prmem_list(control->pool, PRMEM_SUBSYSTEM_RAMDISK, name_one, names);
	for (size_t i = 0; r == 0 && i < json_object_array_length(names); i++) {
		r = map_disk(control, json_object_get_string(json_object_array_get_idx(names, i)), nr_cells, maps, err);
		/* One that cannot be read, or is gone by now, does not hide the others. */
		if (disk == NULL && r < 0)
			r = 0;
	}
	json_object_put(names);
	return r;
}
