/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stat: what was done since the pool was opened.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "control/verb.h"

/* The upper end of the bucket below which @percent of what was timed lies, in nanoseconds. */
static uint64_t
percentile(const struct prmem_op_stats *op, unsigned int percent)
{
	uint64_t all = 0, seen = 0;

	for (unsigned int i = 0; i < PRMEM_LATENCY_BUCKETS; i++)
		all += op->latency[i];
	if (all == 0)
		return 0;
	for (unsigned int i = 0; i < PRMEM_LATENCY_BUCKETS; i++) {
		seen += op->latency[i];
		if (seen * 100 >= all * percent)
			return UINT64_C(2) << i;
	}
	return UINT64_C(1) << PRMEM_LATENCY_BUCKETS;
}

static void
add_op(struct json_object *object, const char *key, const struct prmem_op_stats *op)
{
	struct json_object *o = json_object_new_object(), *latency = json_object_new_object(),
			   *buckets = json_object_new_array();
	unsigned int nr = PRMEM_LATENCY_BUCKETS;

	put_number(o, "requests", op->nr);
	put_number(o, "bytes", op->bytes);
	put_number(o, "errors", op->nr_errors);
	put_number(latency, "p50", percentile(op, 50));
	put_number(latency, "p90", percentile(op, 90));
	put_number(latency, "p99", percentile(op, 99));
	put_number(latency, "max", percentile(op, 100));
	json_object_object_add(o, "latency_ns", latency);
	while (nr > 0 && op->latency[nr - 1] == 0)
		nr--;
	for (unsigned int i = 0; i < nr; i++)
		json_object_array_add(buckets, json_object_new_uint64(op->latency[i]));
	json_object_object_add(o, "latency_buckets", buckets);
	json_object_object_add(object, key, o);
}

static void
add_stats(struct json_object *object, const struct prmem_stats *stats)
{
	add_op(object, "read", &stats->read);
	add_op(object, "write", &stats->write);
	add_op(object, "trim", &stats->trim);
	put_number(object, "crc_errors", stats->nr_crc_errors);
}

struct listing {
	const char *only; /* or NULL */
	struct json_object *disks;
	uint64_t nr_nodes; /* of all */
};

static int
list_one(void *opaque, const struct prmem_instance_info *info)
{
	struct listing *listing = opaque;
	struct json_object *disk;

	listing->nr_nodes += info->nr_nodes;
	if (listing->only != NULL && strcmp(listing->only, info->name) != 0)
		return 0;
	disk = json_object_new_object();
	put_text(disk, "name", info->name);
	put_number(disk, "pages", info->nr_entries);
	put_number(disk, "nodes", info->nr_nodes);
	json_object_array_add(listing->disks, disk);
	return 0;
}

int
verb_stat(const struct control *control, struct json_object *request, struct json_object *result,
	  struct prmem_error *err)
{
	struct listing listing = {.only = get_text(request, "disk"), .disks = json_object_new_array()};
	struct prmem_stats stats;
	struct json_object *pool = json_object_new_object();
	struct prmem_pool_info info;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	put_number(result, "time_ms", (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	prmem_pool_info(control->pool, &info, sizeof info);
	prmem_pool_stats(control->pool, &stats, sizeof stats);
	put_text(pool, "uuid", info.uuid);
	put_number(pool, "pages", info.nr_pages - info.nr_free);
	put_number(pool, "pages_free", info.nr_free);
	put_number(pool, "pages_total", info.nr_pages);
	put_number(pool, "pages_bad", info.nr_bad);
	(void)prmem_list(control->pool, PRMEM_SUBSYSTEM_RAMDISK, list_one, &listing);
	put_number(pool, "nodes", listing.nr_nodes);
	add_stats(pool, &stats);
	json_object_object_add(result, "pool", pool);
	json_object_object_add(result, "disks", listing.disks);
	if (listing.only != NULL && json_object_array_length(listing.disks) == 0)
		return no_such_disk(control, listing.only, err);
	for (size_t i = json_object_array_length(listing.disks); i-- > 0;) {
		struct json_object *disk = json_object_array_get_idx(listing.disks, i);

		/* Removed in between: it is not there any more. */
		if (prmem_disk_stats(control->pool, get_text(disk, "name"), &stats, sizeof stats) < 0)
			json_object_array_del_idx(listing.disks, i, 1);
		else
			add_stats(disk, &stats);
	}
	return 0;
}
