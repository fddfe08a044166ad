/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stat: once, again and again, or for Prometheus.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "tools/prmemctl/ctl.h"

#define HEADER_EVERY 20

static struct json_object *
stat_request(const struct args *args)
{
	struct json_object *request = new_request("stat");

	if (args->nr_rest > 0)
		ask_text(request, "disk", args->rest[0]);
	return request;
}

static void
wait_s(double seconds)
{
	struct timespec left = {.tv_sec = (time_t)seconds,
				.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

	while (!interrupted && nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* The pool is not kept open meanwhile: a server may start, stop, start again. */
static int
watch(const struct args *args)
{
	struct json_object *before = NULL, *now = NULL;
	unsigned int nr = 0;
	int status = EXIT_OK;

	while (!interrupted) {
		status = ask(args, stat_request(args), NULL, &now);
		if (status != EXIT_OK)
			break;
		/* The first report is of all that was done before, as iostat has it. */
		if (args->json)
			print_json(now);
		else if (before == NULL)
			print_stat(now);
		else
			print_watch(before, now, (nr - 1) % HEADER_EVERY == 0);
		json_object_put(before);
		before = now;
		/* Who reads it may have left. */
		if (++nr == args->count || fflush(stdout) != 0)
			break;
		wait_s(args->watch_s);
	}
	json_object_put(before);
	return interrupted ? EXIT_OK : status;
}

static void
print_result(const struct args *args, struct json_object *result)
{
	if (args->prometheus)
		print_prometheus(result);
	else
		print_stat(result);
}

int
run_stat(const struct args *args)
{
	if (args->prometheus && (args->json || args->watch_s > 0)) {
		say_error("stat: --prometheus goes with neither --json nor --watch");
		return exit_for(args, -EINVAL);
	}
	if (args->count != 0 && args->watch_s <= 0) {
		say_error("stat: --count goes with --watch");
		return exit_for(args, -EINVAL);
	}
	return args->watch_s > 0 ? watch(args) : ask_and_print(args, stat_request(args), print_result);
}
