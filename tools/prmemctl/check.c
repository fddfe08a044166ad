/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check, scrub, repair.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "tools/prmemctl/ctl.h"

struct work {
	struct progress progress;
	int keep_fd;
};

/* A header of one line before each piece, so that it can be put back by hand. */
static int
save(void *opaque, uint64_t off, const void *old, size_t len_bytes)
{
	struct work *work = opaque;
	const char *from = old;
	char line[64];
	int n = snprintf(line, sizeof line, "%" PRIu64 " %zu\n", off, len_bytes);

	if (work->keep_fd < 0)
		return 0;
	if (write(work->keep_fd, line, (size_t)n) != n)
		return -EIO;
	while (len_bytes > 0) {
		ssize_t done = write(work->keep_fd, from, len_bytes);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -EIO;
		from += done;
		len_bytes -= (size_t)done;
	}
	return fdatasync(work->keep_fd) < 0 ? -EIO : 0;
}

/* An empty one would only be in the way of the next try. */
static void
end_keep(const struct args *args, int fd)
{
	if (lseek(fd, 0, SEEK_END) == 0)
		(void)unlink(args->keep);
	close(fd);
}

static int
on_progress(void *opaque, uint64_t done, uint64_t total)
{
	return progress_tell(&((struct work *)opaque)->progress, done, total);
}

static void
print_finding(struct json_object *finding)
{
	const char *name = text_in(finding, "name"), *subsystem = text_in(finding, "subsystem");
	uint64_t off = number_in(finding, "offset"), len = number_in(finding, "length");
	bool is_disk = strcmp(subsystem, PRMEM_SUBSYSTEM_RAMDISK) == 0;

	fputs(text_in(finding, "kind"), stdout);
	if (*name != '\0')
		printf(": %s%s%s", is_disk ? "disk" : subsystem, is_disk ? " " : "/", name);
	/* There are two superblocks; the text says which. */
	if (len > 0 && strcmp(text_in(finding, "kind"), "superblock") != 0)
		printf(", %s %" PRIu64 " to %" PRIu64, text_in(finding, "unit"), off, off + len - 1);
	printf(": %s%s\n", text_in(finding, "text"), flag_in(finding, "repaired") ? " (repaired)" : "");
}

static void
print_count(const char *before, uint64_t nr, const char *what)
{
	printf("%s%" PRIu64 " %s%s", before, nr, what, nr == 1 ? "" : "s");
}

static void
print_result(const struct args *args, struct json_object *result)
{
	struct json_object *findings = part_in(result, "findings");
	uint64_t found = number_in(result, "found"), repaired = number_in(result, "repaired");
	char size[SIZE_TEXT_BYTES];

	for (size_t i = 0; i < json_object_array_length(findings); i++)
		print_finding(json_object_array_get_idx(findings, i));
	if (number_in(result, "findings_left_out") > 0)
		printf("... and %" PRIu64 " more\n", number_in(result, "findings_left_out"));
	printf("pool %s: ", args->shown);
	if (found == 0)
		printf("clean");
	else if (repaired > 0)
		printf("%" PRIu64 " thing%s wrong, %" PRIu64 " of them %s repaired", found,
		       found == 1 ? " was" : "s were", repaired, repaired == 1 ? "is" : "are");
	else
		printf("%" PRIu64 " thing%s wrong", found, found == 1 ? " is" : "s are");
	print_count("; ", number_in(result, "instances"), "instance");
	print_count(", ", number_in(result, "nodes"), "node");
	print_count(", ", number_in(result, "pages"), "page");
	if (number_in(result, "scrubbed") > 0)
		printf(", %s read", size_text(number_in(result, "scrubbed"), size));
	if (number_in(result, "leaked") > 0) {
		print_count(", ", number_in(result, "leaked"), "page");
		fputs(" leaked", stdout);
	}
	if (number_in(result, "lost") > 0)
		printf(", %" PRIu64 " known as lost", number_in(result, "lost"));
	putchar('\n');
}

static int
status_of(const struct args *args, struct json_object *result)
{
	if (!flag_in(result, "clean"))
		return EXIT_FSCK_LEFT;
	return strcmp(args->verb, "repair") == 0 && number_in(result, "repaired") > 0 ? EXIT_FSCK_REPAIRED : EXIT_OK;
}

int
run_check(const struct args *args)
{
	struct work work = {.progress = {.what = args->verb}, .keep_fd = -1};
	const struct control_io io = {.progress = on_progress, .keep = save, .opaque = &work};
	struct json_object *request = new_request(args->verb), *result = NULL;
	int status;

	ask_text(request, "disk", args->disk);
	if (args->rate_bytes > 0)
		ask_number(request, "rate", args->rate_bytes);
	if (args->scrub)
		ask_flag(request, "scrub");
	if (args->keep != NULL) {
		work.keep_fd = open(args->keep, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (work.keep_fd < 0) {
			json_object_put(request);
			return failed(args, -errno, "%.200s: cannot be made: %s", args->keep, strerror(errno));
		}
	}
	progress_begin(&work.progress, args);
	status = ask(args, request, &io, &result);
	progress_end(&work.progress);
	if (work.keep_fd >= 0)
		end_keep(args, work.keep_fd);
	if (status != EXIT_OK)
		return status;
	status = status_of(args, result);
	if (args->json)
		print_json(result);
	else
		print_result(args, result);
	json_object_put(result);
	return status;
}
