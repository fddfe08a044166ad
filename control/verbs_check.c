/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check, scrub, repair.
 */
#include <errno.h>

#include "control/verb.h"

struct finding_list {
	const struct control *control;
	struct json_object *findings;
	uint64_t nr_left_out;
};

static const char *
kind_name(enum prmem_finding_kind kind)
{
	switch (kind) {
	case PRMEM_FOUND_SUPERBLOCK:
		return "superblock";
	case PRMEM_FOUND_DIRECTORY:
		return "directory";
	case PRMEM_FOUND_RECORD:
		return "record";
	case PRMEM_FOUND_NODE:
		return "node";
	case PRMEM_FOUND_ENTRY:
		return "entry";
	case PRMEM_FOUND_CONTENT:
		return "content";
	case PRMEM_FOUND_MEMORY:
		return "memory";
	case PRMEM_FOUND_SHARED:
		return "shared";
	case PRMEM_FOUND_FREE:
		return "free";
	case PRMEM_FOUND_LOST:
		return "lost";
	case PRMEM_FOUND_BEHIND:
		return "behind";
	}
	return "other";
}

static int
on_progress(void *opaque, uint64_t done, uint64_t total)
{
	struct finding_list *list = opaque;

	return report_progress(list->control, done * PRMEM_PAGE_SIZE, total * PRMEM_PAGE_SIZE);
}

static void
on_finding(void *opaque, const struct prmem_finding *finding)
{
	struct finding_list *list = opaque;
	struct json_object *object;

	/* A pool that is damaged all over must not take the server's memory. */
	if (json_object_array_length(list->findings) >= CONTROL_FINDINGS_MAX) {
		list->nr_left_out++;
		return;
	}
	object = json_object_new_object();
	if (object == NULL)
		return;
	put_text(object, "kind", kind_name(finding->kind));
	put_text(object, "subsystem", finding->subsystem);
	put_text(object, "name", finding->name);
	put_text(object, "unit", finding->is_disk ? "bytes" : "indices");
	put_number(object, "offset", finding->off);
	put_number(object, "length", finding->len_bytes);
	put_text(object, "text", finding->text);
	put_flag(object, "repaired", finding->repaired);
	json_object_array_add(list->findings, object);
}

static int
on_keep(void *opaque, uint64_t off, const void *old, size_t len_bytes)
{
	struct finding_list *list = opaque;
	const struct control_io *io = list->control->io;

	return io != NULL && io->keep != NULL ? io->keep(io->opaque, off, old, len_bytes) : 0;
}

static int
run_check(const struct control *control, struct json_object *request, unsigned int flags, bool repair,
	  struct json_object *result, struct prmem_error *err)
{
	struct finding_list list = {.control = control, .findings = json_object_new_array()};
	const struct prmem_check_args args = {
		.flags = flags,
		.disk = get_text(request, "disk"),
		.max_bytes_per_s = get_number(request, "rate", 0),
		.progress = on_progress,
		.report = on_finding,
		.keep = on_keep,
		.opaque = &list,
	};
	struct prmem_check_result check = {0};
	int r;

	json_object_object_add(result, "findings", list.findings);
	r = repair ? prmem_repair(control->pool, &args, sizeof args, &check, sizeof check, err)
		   : prmem_check(control->pool, &args, sizeof args, &check, sizeof check, err);
	if (r < 0)
		return r;
	put_number(result, "findings_left_out", list.nr_left_out);
	put_number(result, "found", check.nr_findings);
	put_number(result, "repaired", check.nr_repaired);
	put_number(result, "instances", check.nr_instances);
	put_number(result, "nodes", check.nr_nodes);
	put_number(result, "entries", check.nr_entries);
	put_number(result, "pages", check.nr_pages);
	put_number(result, "damaged_slots", check.nr_damaged);
	put_number(result, "crc_errors", check.nr_crc_errors);
	put_number(result, "shared", check.nr_shared);
	/* Others take pages and give them back meanwhile: the number would mean nothing. */
	put_number(result, "leaked", control->served ? 0 : check.nr_leaked);
	put_number(result, "lost", check.nr_lost);
	put_number(result, "scrubbed", check.nr_scrubbed_bytes);
	put_flag(result, "clean", check.nr_findings == check.nr_repaired);
	return 0;
}

int
verb_check(const struct control *control, struct json_object *request, struct json_object *result,
	   struct prmem_error *err)
{
	return run_check(control, request, 0, false, result, err);
}

int
verb_scrub(const struct control *control, struct json_object *request, struct json_object *result,
	   struct prmem_error *err)
{
	return run_check(control, request, PRMEM_CHECK_SCRUB, false, result, err);
}

int
verb_repair(const struct control *control, struct json_object *request, struct json_object *result,
	    struct prmem_error *err)
{
	return run_check(control, request, get_flag(request, "scrub") ? PRMEM_CHECK_SCRUB : 0, true, result, err);
}
