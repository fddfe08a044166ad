/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Having a request answered: by the server that has the pool, or by this
 * program, which opens the pool.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/linkhash.h>

#include "control/client.h"
#include "tools/plain.h"
#include "tools/prmemctl/ctl.h"

/*
 * How long to wait for a pool that somebody has who serves no control socket:
 * another prmemctl, or a server that is about to start or to end.
 */
#define WAIT_S 5

static void
on_notice(void *opaque, const char *message)
{
	(void)opaque;
	say_error("%s", message);
}

/* Return: 0 and *ret_answer; -errno and @err, -EBUSY among them. */
static int
ask_pool(const struct args *args, struct json_object *request, const struct control_io *io,
	 struct json_object **ret_answer, struct prmem_error *err)
{
	struct control control = {
		.path = args->pool,
		.reads_only = control_only_reads(text_in(request, "verb")),
		.io = io,
	};
	const struct prmem_open_args open_args = {
		.path = args->pool,
		.format = PRMEM_FORMAT_NEVER,
		.read_only = control.reads_only,
		.region_paths = args->regions,
		.degraded = args->degraded,
		.notice = args->verbose ? on_notice : NULL,
	};
	int r = prmem_open(&open_args, sizeof open_args, &control.pool, err);

	if (r < 0)
		return r;
	*ret_answer = control_execute(&control, request);
	prmem_close(control.pool);
	return *ret_answer == NULL ? -ENOMEM : 0;
}

/* Ends @client.  Return: 0 and *ret_answer; -errno. */
static int
ask_client(const struct args *args, struct control_client *client, struct json_object *request,
	   const struct control_io *io, struct json_object **ret_answer, struct prmem_error *err)
{
	int r = control_ask(client, request, io, ret_answer);

	control_disconnect(client);
	if (r == 0)
		return 0;
	snprintf(err->message, sizeof err->message,
		 interrupted ? "pool %.200s: interrupted before its server answered; look whether it was done"
			     : "pool %.200s: its server went away before it answered; look whether it was done",
		 args->pool);
	return r == -ENOENT ? -EPIPE : r;
}

/* Return: 0 and *ret_answer; -ENOENT when no server answers, or -errno. */
static int
ask_server(const struct args *args, struct json_object *request, const struct control_io *io,
	   struct json_object **ret_answer, struct prmem_error *err)
{
	struct control_client *client;
	int r = control_connect(args->pool, &interrupted, &client, err);

	return r < 0 ? r : ask_client(args, client, request, io, ret_answer, err);
}

static int
get_answer(const struct args *args, struct json_object *request, const struct control_io *io,
	   struct json_object **ret_answer, struct prmem_error *err)
{
	const struct timespec moment = {.tv_nsec = 20000000};
	time_t until = time(NULL) + WAIT_S;
	struct control_client *client;
	int r;

	/* A server that reads only shares the lock, and yet it knows what this program does not. */
	if (control_only_reads(text_in(request, "verb"))) {
		r = control_connect(args->pool, &interrupted, &client, err);
		if (r == 0)
			return ask_client(args, client, request, io, ret_answer, err);
		if (interrupted)
			return r;
	}
	memset(err, 0, sizeof *err);
	for (;;) {
		struct prmem_error server_err = {0};

		r = ask_pool(args, request, io, ret_answer, err);
		if (r != -EBUSY)
			return r;
		r = ask_server(args, request, io, ret_answer, &server_err);
		if (r == 0)
			return 0;
		if (r != -ENOENT) {
			*err = server_err;
			return r;
		}
		if (interrupted || time(NULL) >= until)
			return -EBUSY;
		nanosleep(&moment, NULL);
	}
}

/* A request is JSON, wherever it goes. */
static bool
is_all_utf8(struct json_object *request)
{
	json_object_object_foreach(request, key, value)
	{
		(void)key;
		if (json_object_is_type(value, json_type_string) && !control_is_utf8(json_object_get_string(value)))
			return false;
	}
	return true;
}

/* For people, on a terminal perhaps: labels, paths and the like may have anything in them. */
static void
make_plain(struct json_object *value)
{
	if (json_object_is_type(value, json_type_string)) {
		char *text = strdup(json_object_get_string(value));

		if (text != NULL)
			plain_text(text);
		(void)json_object_set_string(value, text != NULL ? text : "?");
		free(text);
	} else if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			make_plain(json_object_array_get_idx(value, i));
	} else if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, part)
		{
			(void)key;
			make_plain(part);
		}
	}
}

int
ask_with_end(const struct args *args, struct json_object *request, const struct control_io *io, const char *why,
	     struct json_object **ret_result)
{
	struct json_object *answer = NULL, *error;
	struct prmem_error err = {0};
	int r, status;

	if (!is_all_utf8(request)) {
		json_object_put(request);
		return failed(args, -EILSEQ, "%s: names and texts must be UTF-8, and paths that are for the server",
			      args->verb);
	}
	r = get_answer(args, request, io, &answer, &err);
	json_object_put(request);
	/* That is how a watch is ended, and no failure. */
	if (r < 0 && interrupted && args->watch_s > 0)
		return exit_for(args, r);
	if (why[0] != '\0' && (r < 0 || !flag_in(answer, "ok"))) {
		json_object_put(answer);
		return failed(args, -EIO, "%s", why);
	}
	if (r < 0)
		return failed(args, r, "%s", err.message[0] != '\0' ? err.message : strerror(-r));
	if (flag_in(answer, "ok")) {
		*ret_result = json_object_get(part_in(answer, "result"));
		if (!args->json && !args->prometheus)
			make_plain(*ret_result);
		json_object_put(answer);
		return 0;
	}
	error = part_in(answer, "error");
	say_error("%s", text_in(error, "message"));
	if (args->json) {
		json_object_object_del(answer, "ok");
		print_json(answer);
	}
	status = exit_for(args, -EIO);
	json_object_put(answer);
	return status;
}

int
ask(const struct args *args, struct json_object *request, const struct control_io *io, struct json_object **ret_result)
{
	return ask_with_end(args, request, io, "", ret_result);
}

int
ask_and_print(const struct args *args, struct json_object *request,
	      void (*print)(const struct args *args, struct json_object *result))
{
	struct json_object *result = NULL;
	int status = ask(args, request, NULL, &result);

	if (status != EXIT_OK)
		return status;
	if (args->json)
		print_json(result);
	else
		print(args, result);
	json_object_put(result);
	return EXIT_OK;
}
