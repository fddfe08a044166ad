/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * debug slot: what a disk's index says of one page, as it is in the pool.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tools/prmemctl/ctl.h"

static void
print_proof(struct json_object *result)
{
	if (flag_in(result, "unreadable"))
		printf("%-10s %s stored; what it points to cannot be read\n", "proof", text_in(result, "proof"));
	else if (*text_in(result, "expected_proof") != '\0')
		printf("%-10s %s stored, %s computed\n", "proof", text_in(result, "proof"),
		       text_in(result, "expected_proof"));
	else
		printf("%-10s %s stored; no slot of this kind belongs there\n", "proof", text_in(result, "proof"));
}

static void
print_slot(const struct args *args, struct json_object *result)
{
	uint64_t off = number_in(result, "offset");

	(void)args;
	printf("%-10s %s, bytes %" PRIu64 " to %" PRIu64 "\n", "disk", text_in(result, "name"), off,
	       off + number_in(result, "length") - 1);
	printf("%-10s %s\n", "kind", text_in(result, "kind"));
	if (part_in(result, "page") != NULL)
		printf("%-10s %" PRIu64 "\n", "page", number_in(result, "page"));
	if (flag_in(result, "in_node")) {
		printf("%-10s %s\n", "slot", text_in(result, "slot"));
		print_proof(result);
		printf("%-10s page %" PRIu64 ", slot %" PRIu64 ", level %" PRIu64 "\n", "node",
		       number_in(result, "node"), number_in(result, "number"), number_in(result, "level"));
	} else {
		printf("%-10s none: the index does not reach that far\n", "node");
	}
	printf("%-10s %s\n", "lineage", text_in(result, "lineage"));
	printf("%-10s %s\n", "verifies", flag_in(result, "verifies") ? "yes" : "no");
}

int
run_debug(const struct args *args)
{
	struct json_object *request;
	uint64_t off;

	if (!parse_size(args->rest[1], &off)) {
		say_error("debug slot: %.60s is no offset; give a number of bytes, with K, M, G or T after it",
			  or_quotes(args->rest[1]));
		return exit_for(args, -EINVAL);
	}
	request = new_request("debug-slot");
	ask_text(request, "disk", args->rest[0]);
	ask_number(request, "offset", off);
	return ask_and_print(args, request, print_slot);
}
