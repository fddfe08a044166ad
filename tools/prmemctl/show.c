/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * info, list, map.
 */
#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/prmemctl/ctl.h"

#define COLOUR_BAD "\033[31m"
#define COLOUR_END "\033[0m"

/* Only on a terminal, and only for what needs somebody's attention. */
static const char *
bad(const char *colour)
{
	const char *none = getenv("NO_COLOR");

	return on_terminal(STDOUT_FILENO) && (none == NULL || *none == '\0') ? colour : "";
}

static void
line_text(const char *key, const char *text)
{
	printf("%-14s %s\n", key, text);
}

static void
line_size(struct json_object *result, const char *key, const char *field)
{
	char size[SIZE_TEXT_BYTES];

	line_text(key, size_text(number_in(result, field), size));
}

static void
print_info(const struct args *args, struct json_object *result)
{
	struct json_object *regions = part_in(result, "regions");
	uint64_t over = number_in(result, "over_commitment");
	char a[SIZE_TEXT_BYTES], b[SIZE_TEXT_BYTES];

	line_text("pool", args->shown);
	if (*text_in(result, "label") != '\0')
		line_text("label", text_in(result, "label"));
	line_text("uuid", text_in(result, "uuid"));
	line_text("created", date_text(number_in(result, "created"), a));
	line_text("memory", flag_in(result, "persistent_memory") ? "persistent memory" : "page cache of a file");
	line_size(result, "size", "size");
	line_size(result, "reserved", "reserved");
	line_size(result, "allocated", "allocated");
	line_size(result, "free", "free");
	line_size(result, "available", "available");
	printf("%-14s %" PRIu64 ", %s in all\n", "disks", number_in(result, "disks"),
	       size_text(number_in(result, "disks_size"), a));
	if (over > 0)
		printf("%-14s %s more than the pool has\n", "over-committed", size_text(over, a));
	else
		line_text("over-committed", "no");
	if (number_in(result, "low_space") > 0)
		printf("%-14s warned of below %s%s\n", "low space", size_text(number_in(result, "low_space"), b),
		       flag_in(result, "is_low") ? ", which is so" : "");
	for (size_t i = 0; json_object_array_length(regions) > 1 && i < json_object_array_length(regions); i++) {
		struct json_object *region = json_object_array_get_idx(regions, i);

		printf("region %-7zu %s, %s%s\n", i, text_in(region, "path"), size_text(number_in(region, "size"), a),
		       flag_in(region, "missing") ? ", MISSING" : "");
	}
	if (number_in(result, "damaged_slots") > 0)
		printf("%s%-14s %" PRIu64 " places%s\n", bad(COLOUR_BAD), "damaged", number_in(result, "damaged_slots"),
		       bad(COLOUR_END));
	if (number_in(result, "bad_pages") > 0)
		printf("%s%-14s %" PRIu64 "%s\n", bad(COLOUR_BAD), "bad pages", number_in(result, "bad_pages"),
		       bad(COLOUR_END));
	if (flag_in(result, "read_only"))
		printf("%s%-14s %s%s\n", bad(COLOUR_BAD), "read-only",
		       *text_in(result, "read_only_why") != '\0' ? text_in(result, "read_only_why") : "yes",
		       bad(COLOUR_END));
}

int
run_info(const struct args *args)
{
	return ask_and_print(args, new_request("info"), print_info);
}

static void
print_list(const struct args *args, struct json_object *result)
{
	struct json_object *disks = part_in(result, "disks");
	int width = 4;

	(void)args;
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		int len = (int)strlen(text_in(json_object_array_get_idx(disks, i), "name"));

		width = len > width ? len : width;
	}
	printf("%-*s %10s %10s %-8s %s\n", width, "DISK", "SIZE", "ALLOCATED", "FLAGS", "DESCRIPTION");
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);
		bool damaged = flag_in(disk, "damaged");
		char size[SIZE_TEXT_BYTES], allocated[SIZE_TEXT_BYTES], flags[5], line[400];
		size_t len;

		snprintf(flags, sizeof flags, "%s%s%s%s", flag_in(disk, "read_only") ? "r" : "",
			 flag_in(disk, "reserve") ? "R" : "", number_in(disk, "open") > 0 ? "o" : "",
			 damaged ? "D" : "");
		snprintf(line, sizeof line, "%-*s %10s %10s %-8s %s", width, text_in(disk, "name"),
			 size_text(number_in(disk, "size"), size), size_text(number_in(disk, "allocated"), allocated),
			 flags[0] != '\0' ? flags : "-", text_in(disk, "description"));
		for (len = strlen(line); len > 0 && line[len - 1] == ' '; len--)
			line[len - 1] = '\0';
		printf("%s%s%s\n", damaged ? bad(COLOUR_BAD) : "", line, damaged ? bad(COLOUR_END) : "");
	}
}

int
run_list(const struct args *args)
{
	return ask_and_print(args, new_request("list"), print_list);
}

/* ---- map ---- */

static unsigned int
terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
		return size.ws_col;
	if (columns != NULL && atoi(columns) >= 20 && atoi(columns) <= 1000)
		return (unsigned int)atoi(columns);
	return 80;
}

/* Five shades, from a hole to full. */
static const char *
shade(uint64_t used, uint64_t cell_bytes)
{
	static const char *const blocks[] = {"\u00b7", "\u2591", "\u2592", "\u2593", "\u2588"};
	static const char *const ascii[] = {".", "-", "+", "*", "#"};
	unsigned int level = used == 0 ? 0 : used >= cell_bytes ? 4 : 1 + (unsigned int)(used * 3 / cell_bytes);

	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? blocks[level] : ascii[level];
}

static void
print_cells(struct json_object *disk, size_t from, size_t nr)
{
	struct json_object *cells = part_in(disk, "cells");
	uint64_t cell_bytes = number_in(disk, "cell_size"), size_bytes = number_in(disk, "size");

	for (size_t i = from; i < from + nr && i < json_object_array_length(cells); i++) {
		uint64_t left = size_bytes - i * cell_bytes;

		/* The last page of a disk is a whole one in the pool, the last cell of a disk perhaps not. */
		fputs(shade(json_object_get_uint64(json_object_array_get_idx(cells, i)),
			    left < cell_bytes ? left : cell_bytes),
		      stdout);
	}
	putchar('\n');
}

static void
print_map(const struct args *args, struct json_object *result)
{
	struct json_object *disks = part_in(result, "disks");
	unsigned int columns = terminal_width() - 18;
	char size[SIZE_TEXT_BYTES], cell[SIZE_TEXT_BYTES], used[SIZE_TEXT_BYTES];

	if (args->nr_rest == 0)
		printf("%s of %s allocated; a line a disk\n", size_text(number_in(result, "allocated"), used),
		       size_text(number_in(result, "size"), size));
	for (size_t i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *disk = json_object_array_get_idx(disks, i);
		size_t nr = json_object_array_length(part_in(disk, "cells"));

		if (args->nr_rest == 0) {
			printf("%-16.16s ", text_in(disk, "name"));
			print_cells(disk, 0, nr);
			continue;
		}
		printf("%s: %s, a character is %s\n", text_in(disk, "name"), size_text(number_in(disk, "size"), size),
		       size_text(number_in(disk, "cell_size"), cell));
		for (size_t from = 0; from < nr; from += columns) {
			printf("%16s ", size_text(from * number_in(disk, "cell_size"), size));
			print_cells(disk, from, columns);
		}
	}
}

int
run_map(const struct args *args)
{
	unsigned int columns = terminal_width() - 18, nr = args->nr_rest > 0 ? columns * 16 : columns;
	struct json_object *request = new_request("map");

	ask_number(request, "cells", nr);
	if (args->nr_rest > 0)
		ask_text(request, "disk", args->rest[0]);
	return ask_and_print(args, request, print_map);
}
