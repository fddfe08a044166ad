/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export, import.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "tools/prmemctl/ctl.h"
#include "tools/prmemctl/file_end.h"

struct copy {
	struct progress progress;
	struct file_end end;
	bool failed; /* this end */
};

/* The end failed before anything was asked for. */
static int
say_why(const struct args *args, const struct copy *copy)
{
	return failed(args, -EIO, "%s", copy->end.why[0] != '\0' ? copy->end.why : "it was interrupted");
}

static int
on_progress(void *opaque, uint64_t done, uint64_t total)
{
	return progress_tell(&((struct copy *)opaque)->progress, done, total);
}

static int
on_begin(void *opaque, uint64_t size_bytes)
{
	((struct copy *)opaque)->end.size_bytes = size_bytes;
	return 0;
}

static int
on_data(void *opaque, const void *buf, uint32_t len_bytes, uint64_t off)
{
	struct copy *copy = opaque;

	if (!copy->failed && !interrupted && sink_write(&copy->end, buf, len_bytes, off) == 0)
		return 0;
	copy->failed = true;
	return -ECANCELED;
}

static int
on_take(void *opaque, void *buf, uint32_t *ret_len_bytes, uint64_t *ret_off)
{
	struct copy *copy = opaque;
	int r = source_read(&copy->end, buf, CONTROL_DATA_MAX, ret_len_bytes, ret_off);

	return r < 0 ? -ECANCELED : r;
}

static int
end_export(const struct args *args, struct copy *copy, struct json_object *result)
{
	char size[SIZE_TEXT_BYTES], data[SIZE_TEXT_BYTES];

	if (copy->failed || sink_finish(&copy->end, number_in(result, "size")) < 0)
		return say_why(args, copy);
	if (args->json)
		print_json(result);
	else
		printf("disk %s: %s exported, %s of it data\n", text_in(result, "name"),
		       size_text(number_in(result, "size"), size), size_text(number_in(result, "data"), data));
	return EXIT_OK;
}

int
run_export(const struct args *args)
{
	struct copy copy = {.progress = {.what = "export"}};
	const struct control_io io = {
		.progress = on_progress,
		.begin = on_begin,
		.data = on_data,
		.opaque = &copy,
	};
	struct json_object *request, *result = NULL;
	int status;

	if (sink_open(&copy.end, args->rest[1]) < 0) {
		sink_close(&copy.end);
		return say_why(args, &copy);
	}
	/* Standard output is the disk, and the end has it: what is said goes beside it. */
	if (strcmp(args->rest[1], "-") == 0)
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	request = new_request("export");
	ask_text(request, "disk", args->rest[0]);
	progress_begin(&copy.progress, args);
	status = ask_with_end(args, request, &io, copy.end.why, &result);
	progress_end(&copy.progress);
	if (status == EXIT_OK)
		status = end_export(args, &copy, result);
	sink_close(&copy.end);
	json_object_put(result);
	return status;
}

int
run_import(const struct args *args)
{
	struct copy copy = {.progress = {.what = "import"}};
	const struct control_io io = {.progress = on_progress, .take = on_take, .opaque = &copy};
	struct json_object *request, *result = NULL;
	char size[SIZE_TEXT_BYTES], data[SIZE_TEXT_BYTES];
	uint64_t data_bytes;
	int status;

	if (source_open(&copy.end, args->rest[1]) < 0 || source_data_bytes(&copy.end, &data_bytes) < 0) {
		source_close(&copy.end);
		return say_why(args, &copy);
	}
	if (args->has_size && !copy.end.is_stream && args->size_bytes != copy.end.size_bytes) {
		source_close(&copy.end);
		return failed(args, -EINVAL, "%.200s: has %" PRIu64 " bytes, and not %" PRIu64 " as --size says",
			      args->rest[1], copy.end.size_bytes, args->size_bytes);
	}
	request = new_request("import");
	ask_text(request, "disk", args->rest[0]);
	if (args->has_size || !copy.end.is_stream)
		ask_number(request, "size", args->has_size ? args->size_bytes : copy.end.size_bytes);
	if (data_bytes > 0)
		ask_number(request, "data", data_bytes);
	if (args->force)
		ask_flag(request, "force");
	progress_begin(&copy.progress, args);
	status = ask_with_end(args, request, &io, copy.end.why, &result);
	progress_end(&copy.progress);
	source_close(&copy.end);
	if (status != EXIT_OK)
		return status;
	if (args->json)
		print_json(result);
	else
		printf("disk %s: %s imported, %s of it data\n", text_in(result, "name"),
		       size_text(number_in(result, "size"), size), size_text(number_in(result, "allocated"), data));
	json_object_put(result);
	return EXIT_OK;
}
