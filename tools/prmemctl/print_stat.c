/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <string.h>

#include "tools/prmemctl/ctl.h"

#define POOL_LINE "(pool)"

static const char *const ops[] = {"read", "write", "trim"};
#define NR_OPS 3

static uint64_t
op_number(struct json_object *object, const char *op, const char *key)
{
	return number_in(part_in(object, op), key);
}

static uint64_t
nr_errors(struct json_object *object)
{
	uint64_t nr = 0;

	for (unsigned int i = 0; i < NR_OPS; i++)
		nr += op_number(object, ops[i], "errors");
	return nr;
}

/* The first column: as wide as the longest name, and not wider, for the others to fit beside it. */
static int
name_width(struct json_object *disks)
{
	size_t width = sizeof POOL_LINE - 1;

	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		size_t len = strlen(text_in(json_object_array_get_idx(disks, i), "name"));

		width = len > width ? len : width;
	}
	return (int)width;
}

/* ---- since the start ---- */

static void
print_line(int width, const char *name, struct json_object *o)
{
	char r[SIZE_TEXT_BYTES], w[SIZE_TEXT_BYTES], t[SIZE_TEXT_BYTES], r50[SIZE_TEXT_BYTES], r99[SIZE_TEXT_BYTES],
		w50[SIZE_TEXT_BYTES], w99[SIZE_TEXT_BYTES];
	struct json_object *read_ns = part_in(part_in(o, "read"), "latency_ns"),
			   *write_ns = part_in(part_in(o, "write"), "latency_ns");

	printf("%-*s %10" PRIu64 " %6" PRIu64 " %9" PRIu64 " %10s %9" PRIu64 " %10s %9" PRIu64 " %10s %6" PRIu64
	       " %6" PRIu64 " %7s %7s %7s %7s\n",
	       width, name, number_in(o, "pages"), number_in(o, "nodes"), op_number(o, "read", "requests"),
	       size_text(op_number(o, "read", "bytes"), r), op_number(o, "write", "requests"),
	       size_text(op_number(o, "write", "bytes"), w), op_number(o, "trim", "requests"),
	       size_text(op_number(o, "trim", "bytes"), t), nr_errors(o), number_in(o, "crc_errors"),
	       time_text(number_in(read_ns, "p50"), r50), time_text(number_in(read_ns, "p99"), r99),
	       time_text(number_in(write_ns, "p50"), w50), time_text(number_in(write_ns, "p99"), w99));
}

void
print_stat(struct json_object *now)
{
	struct json_object *disks = part_in(now, "disks");
	int width = name_width(disks);

	printf("%-*s %10s %6s %9s %10s %9s %10s %9s %10s %6s %6s %7s %7s %7s %7s\n", width, "DISK", "PAGES", "NODES",
	       "READS", "READ", "WRITES", "WRITTEN", "TRIMS", "TRIMMED", "ERRORS", "CRC", "R50%", "R99%", "W50%",
	       "W99%");
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);

		print_line(width, text_in(disk, "name"), disk);
	}
	print_line(width, POOL_LINE, part_in(now, "pool"));
}

/* ---- in between ---- */

struct delta {
	double nr, bytes;
	uint64_t p99_ns;
};

static uint64_t
bucket(struct json_object *buckets, size_t i)
{
	return i < json_object_array_length(buckets) ? json_object_get_uint64(json_object_array_get_idx(buckets, i))
						     : 0;
}

/* Numbers may start again: the server was restarted. */
static uint64_t
difference(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

static struct delta
delta_of(struct json_object *before, struct json_object *now, const char *op, double seconds)
{
	struct json_object *old = part_in(part_in(before, op), "latency_buckets"),
			   *new = part_in(part_in(now, op), "latency_buckets");
	struct delta d = {
		.nr = (double)difference(op_number(before, op, "requests"), op_number(now, op, "requests")) / seconds,
		.bytes = (double)difference(op_number(before, op, "bytes"), op_number(now, op, "bytes")) / seconds,
	};
	uint64_t all = 0, seen = 0;
	size_t nr = json_object_array_length(new);

	for (size_t i = 0; i < nr; i++)
		all += difference(old != NULL ? bucket(old, i) : 0, bucket(new, i));
	for (size_t i = 0; i < nr && all > 0; i++) {
		seen += difference(old != NULL ? bucket(old, i) : 0, bucket(new, i));
		if (seen * 100 >= all * 99) {
			d.p99_ns = UINT64_C(2) << i;
			break;
		}
	}
	return d;
}

static struct json_object *
same_disk(struct json_object *disks, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);

		if (strcmp(text_in(disk, "name"), name) == 0)
			return disk;
	}
	return NULL;
}

static void
print_delta(int width, const char *name, struct json_object *before, struct json_object *now, double seconds)
{
	struct delta r = delta_of(before, now, "read", seconds), w = delta_of(before, now, "write", seconds),
		     t = delta_of(before, now, "trim", seconds);
	char r_size[SIZE_TEXT_BYTES], w_size[SIZE_TEXT_BYTES], r_time[SIZE_TEXT_BYTES], w_time[SIZE_TEXT_BYTES];

	printf("%-*s %7.0f %10s %8.0f %10s %7.0f %6" PRIu64 " %6s %6s\n", width, name, r.nr,
	       size_text((uint64_t)r.bytes, r_size), w.nr, size_text((uint64_t)w.bytes, w_size), t.nr,
	       difference(nr_errors(before), nr_errors(now)), time_text(r.p99_ns, r_time), time_text(w.p99_ns, w_time));
}

void
print_watch(struct json_object *before, struct json_object *now, bool header)
{
	uint64_t ms = difference(number_in(before, "time_ms"), number_in(now, "time_ms"));
	double seconds = ms > 0 ? (double)ms / 1000 : 0.001;
	struct json_object *disks = part_in(now, "disks");
	int width = name_width(disks);

	/* With names of ten letters it fits into 80 columns. */
	if (header)
		printf("%-*s %7s %10s %8s %10s %7s %6s %6s %6s\n", width, "DISK", "READS/s", "READ/s", "WRITES/s",
		       "WRITTEN/s", "TRIMS/s", "ERRORS", "R99%", "W99%");
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);
		struct json_object *old = same_disk(part_in(before, "disks"), text_in(disk, "name"));

		/* One that is new has done all that it did since. */
		print_delta(width, text_in(disk, "name"), old, disk, seconds);
	}
	print_delta(width, POOL_LINE, part_in(before, "pool"), part_in(now, "pool"), seconds);
}

/* ---- Prometheus ---- */

/* A disk's name may have quotes and backslashes in it. */
static void
print_labels(const char *pool, const char *disk)
{
	printf("{pool=\"%s\"", pool);
	if (disk != NULL) {
		fputs(",disk=\"", stdout);
		for (; *disk != '\0'; disk++)
			printf(*disk == '"' || *disk == '\\' ? "\\%c" : "%c", *disk);
		putchar('"');
	}
}

static void
print_op(struct json_object *object, const char *pool, const char *disk, const char *metric, const char *key)
{
	for (unsigned int op = 0; op < NR_OPS; op++) {
		fputs(metric, stdout);
		print_labels(pool, disk);
		printf(",op=\"%s\"} %" PRIu64 "\n", ops[op], op_number(object, ops[op], key));
	}
}

/* Of each disk, and of the pool: of that those that are gone are a part, too. */
static void
print_ops(struct json_object *now, const char *metric, const char *key, const char *what)
{
	struct json_object *disks = part_in(now, "disks");
	const char *pool = text_in(part_in(now, "pool"), "uuid");
	char name[64];

	snprintf(name, sizeof name, "prmem_disk_%s", metric);
	printf("# HELP %s %s\n# TYPE %s counter\n", name, what, name);
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);

		print_op(disk, pool, text_in(disk, "name"), name, key);
	}
	snprintf(name, sizeof name, "prmem_pool_%s", metric);
	printf("# HELP %s %s\n# TYPE %s counter\n", name, what, name);
	print_op(part_in(now, "pool"), pool, NULL, name, key);
}

static void
print_disks(struct json_object *now, const char *metric, const char *type, const char *key, const char *what)
{
	struct json_object *disks = part_in(now, "disks");
	const char *pool = text_in(part_in(now, "pool"), "uuid");

	printf("# HELP %s %s\n# TYPE %s %s\n", metric, what, metric, type);
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);

		fputs(metric, stdout);
		print_labels(pool, text_in(disk, "name"));
		printf("} %" PRIu64 "\n", number_in(disk, key));
	}
}

static void
print_quantiles(struct json_object *object, const char *pool, const char *disk, const char *metric)
{
	static const char *const names[] = {"p50", "p90", "p99"}, *const quantiles[] = {"0.5", "0.9", "0.99"};

	for (unsigned int j = 0; j < NR_OPS * 3; j++) {
		struct json_object *ns = part_in(part_in(object, ops[j / 3]), "latency_ns");

		fputs(metric, stdout);
		print_labels(pool, disk);
		printf(",op=\"%s\",quantile=\"%s\"} %.9f\n", ops[j / 3], quantiles[j % 3],
		       (double)number_in(ns, names[j % 3]) / 1e9);
	}
}

static void
print_latency(struct json_object *now)
{
	static const char what[] = "Upper bound of the time that a part of the requests took.";
	struct json_object *disks = part_in(now, "disks");
	const char *pool = text_in(part_in(now, "pool"), "uuid"), *metric = "prmem_disk_latency_seconds";

	printf("# HELP %s %s\n# TYPE %s gauge\n", metric, what, metric);
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);

		print_quantiles(disk, pool, text_in(disk, "name"), metric);
	}
	metric = "prmem_pool_latency_seconds";
	printf("# HELP %s %s\n# TYPE %s gauge\n", metric, what, metric);
	print_quantiles(part_in(now, "pool"), pool, NULL, metric);
}

static void
print_pool(struct json_object *now, const char *metric, const char *type, const char *key, const char *what)
{
	struct json_object *pool = part_in(now, "pool");

	printf("# HELP %s %s\n# TYPE %s %s\n%s", metric, what, metric, type, metric);
	print_labels(text_in(pool, "uuid"), NULL);
	printf("} %" PRIu64 "\n", number_in(pool, key));
}

void
print_prometheus(struct json_object *now)
{
	print_pool(now, "prmem_pool_pages", "gauge", "pages_total", "Pages of 4096 bytes that the pool has.");
	print_pool(now, "prmem_pool_pages_free", "gauge", "pages_free", "Pages that nothing reaches.");
	print_pool(now, "prmem_pool_nodes", "gauge", "nodes", "Nodes of the indices of all disks.");
	print_pool(now, "prmem_pool_pages_bad", "gauge", "pages_bad",
		   "Pages that were put aside because their memory went bad.");
	print_disks(now, "prmem_disk_pages", "gauge", "pages", "Pages that a disk holds.");
	print_disks(now, "prmem_disk_nodes", "gauge", "nodes", "Nodes of a disk's index.");
	print_ops(now, "requests_total", "requests", "Requests that succeeded.");
	print_ops(now, "bytes_total", "bytes", "Bytes of requests that succeeded.");
	print_ops(now, "errors_total", "errors", "Requests that failed.");
	print_disks(now, "prmem_disk_crc_errors_total", "counter", "crc_errors",
		    "Pages that were read and did not match their checksum.");
	print_pool(now, "prmem_pool_crc_errors_total", "counter", "crc_errors",
		   "Pages that were read and did not match their checksum.");
	print_latency(now);
}
