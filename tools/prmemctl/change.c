/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verbs that change a pool or a disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/prmemctl/ctl.h"

/* Return: 0, or the exit status for a size that is none. */
static int
take_size_argument(const struct args *args, const char *text, uint64_t *ret_bytes)
{
	if (parse_size(text, ret_bytes))
		return 0;
	say_error("%s: %.60s is no size; give a number, with K, M, G or T behind it", args->verb, or_quotes(text));
	return exit_for(args, -EINVAL);
}

/* ---- format ---- */

static int
make_pool(const struct args *args)
{
	struct progress progress = {.what = "format"};
	const struct prmem_open_args open_args = {
		.path = args->pool,
		.pool_size_bytes = args->size_bytes,
		.label = args->label,
		.format = args->force ? PRMEM_FORMAT_FORCE : PRMEM_FORMAT_AUTO,
		.progress = progress_tell,
		.opaque = &progress,
	};
	struct prmem_error err = {0};
	struct prmem_pool_info info;
	struct prmem_pool *pool;
	struct json_object *result;
	char size[SIZE_TEXT_BYTES];
	int r;

	progress_begin(&progress, args);
	r = prmem_open(&open_args, sizeof open_args, &pool, &err);
	progress_end(&progress);
	if (r < 0)
		return failed(args, r, "%s", err.message);
	prmem_pool_info(pool, &info, sizeof info);
	prmem_close(pool);
	if (!args->json) {
		printf("pool %s: formatted, %s\n", args->shown, size_text(info.size_bytes, size));
		return EXIT_OK;
	}
	result = json_object_new_object();
	ask_text(result, "uuid", info.uuid);
	ask_text(result, "label", info.label);
	ask_number(result, "size", info.size_bytes);
	print_json(result);
	json_object_put(result);
	return EXIT_OK;
}

/* What set --label takes, too. */
static bool
is_label(const char *text)
{
	if (strlen(text) >= sizeof((struct prmem_probe_info *)0)->label || !control_is_utf8(text))
		return false;
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

int
run_format(const struct args *args)
{
	struct prmem_probe_info there;
	struct stat st;

	if (args->label != NULL && !is_label(args->label))
		return failed(args, -EINVAL,
			      "pool %s: a label has up to %zu characters, none of them a control character", args->pool,
			      sizeof there.label - 1);
	if (args->has_size && args->size_bytes == 0)
		return failed(args, -EINVAL, "pool %s: 0 bytes are too few for a pool", args->pool);
	if (!args->force && prmem_probe(args->pool, &there, sizeof there, NULL) == 0)
		return failed(args, -EEXIST, "pool %s: is a pool already%s%s%s; --force makes it empty", args->pool,
			      there.label[0] != '\0' ? " (" : "", there.label, there.label[0] != '\0' ? ")" : "");
	if (stat(args->pool, &st) < 0) {
		if (errno == ENOENT && !args->has_size)
			return failed(args, -ENOENT, "pool %s: no such file: give --size to make one", args->pool);
	} else if (!args->has_size && S_ISREG(st.st_mode) && st.st_size == 0) {
		return failed(args, -EINVAL, "pool %s: is empty: give --size to make it a pool", args->pool);
	} else if (args->has_size &&
		   (!S_ISREG(st.st_mode) || (st.st_size != 0 && (uint64_t)st.st_size != args->size_bytes))) {
		return failed(args, -EEXIST, "pool %s: has a size of its own: leave --size out, or remove it first",
			      args->pool);
	}
	return make_pool(args);
}

/* ---- disks ---- */

static void
print_disk(const struct args *args, struct json_object *result)
{
	char size[SIZE_TEXT_BYTES], lost[SIZE_TEXT_BYTES];

	printf("disk %s: %s%s%s", text_in(result, "name"), size_text(number_in(result, "size"), size),
	       flag_in(result, "reserve") ? ", reserved" : "", flag_in(result, "read_only") ? ", read-only" : "");
	if (strcmp(args->verb, "resize") == 0 && number_in(result, "lost") > 0)
		printf("; %s of data lost", size_text(number_in(result, "lost"), lost));
	putchar('\n');
}

int
run_create(const struct args *args)
{
	struct json_object *request;
	uint64_t size_bytes;
	int status = take_size_argument(args, args->rest[1], &size_bytes);

	if (status != 0)
		return status;
	request = new_request("create");
	ask_text(request, "disk", args->rest[0]);
	ask_number(request, "size", size_bytes);
	ask_text(request, "description", args->description);
	if (args->read_only)
		ask_flag(request, "read_only");
	if (args->reserve)
		ask_flag(request, "reserve");
	return ask_and_print(args, request, print_disk);
}

int
run_resize(const struct args *args)
{
	struct json_object *request;
	uint64_t size_bytes;
	int status = take_size_argument(args, args->rest[1], &size_bytes);

	if (status != 0)
		return status;
	request = new_request("resize");
	ask_text(request, "disk", args->rest[0]);
	ask_number(request, "size", size_bytes);
	if (args->force)
		ask_flag(request, "force");
	return ask_and_print(args, request, print_disk);
}

int
run_rename(const struct args *args)
{
	struct json_object *request = new_request("rename");

	ask_text(request, "disk", args->rest[0]);
	ask_text(request, "to", args->rest[1]);
	return ask_and_print(args, request, print_disk);
}

static int
take_switch(const struct args *args, struct json_object *request, const char *key, const char *value)
{
	bool on = strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "1") == 0;

	if (!on && strcmp(value, "off") != 0 && strcmp(value, "no") != 0 && strcmp(value, "0") != 0) {
		say_error("set: %.60s is neither on nor off", or_quotes(value));
		return exit_for(args, -EINVAL);
	}
	json_object_object_add(request, key, json_object_new_boolean(on));
	return 0;
}

static int
take_setting(const struct args *args, struct json_object *request, const char *setting)
{
	static const struct {
		const char *name, *key;
		bool is_text;
	} settings[] = {
		{"description", "description", true},
		{"read-only", "read_only", false},
		{"reserve", "reserve", false},
	};
	const char *value = strchr(setting, '=');
	size_t len = value == NULL ? 0 : (size_t)(value - setting);

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		if (len != strlen(settings[i].name) || strncmp(setting, settings[i].name, len) != 0)
			continue;
		if (part_in(request, settings[i].key) != NULL) {
			say_error("set: %s is there twice", settings[i].name);
			return exit_for(args, -EINVAL);
		}
		if (!settings[i].is_text)
			return take_switch(args, request, settings[i].key, value + 1);
		ask_text(request, settings[i].key, value + 1);
		return 0;
	}
	say_error("set: %.60s is nothing that can be set; prmemctl set --help lists what can", or_quotes(setting));
	return exit_for(args, -EINVAL);
}

static void
print_set_pool(const struct args *args, struct json_object *result)
{
	char size[SIZE_TEXT_BYTES];

	printf("pool %s: label \"%s\"", args->shown, text_in(result, "label"));
	if (number_in(result, "low_space") > 0)
		printf(", warns below %s", size_text(number_in(result, "low_space"), size));
	putchar('\n');
}

int
run_set(const struct args *args)
{
	bool of_pool = args->label != NULL || args->has_low_space;
	struct json_object *request;

	if (of_pool == (args->nr_rest > 0) || args->nr_rest == 1) {
		say_error("set: give a disk and KEY=VALUE, or --label or --low-space of the pool");
		return exit_for(args, -EINVAL);
	}
	request = new_request(of_pool ? "set-pool" : "set");
	ask_text(request, "label", args->label);
	if (args->has_low_space)
		ask_number(request, "low_space", args->low_space_bytes);
	if (!of_pool)
		ask_text(request, "disk", args->rest[0]);
	for (int i = 1; i < args->nr_rest; i++) {
		int status = take_setting(args, request, args->rest[i]);

		if (status != 0) {
			json_object_put(request);
			return status;
		}
	}
	return ask_and_print(args, request, of_pool ? print_set_pool : print_disk);
}

int
run_remove(const struct args *args)
{
	struct progress progress = {.what = "remove"};
	const struct control_io io = {.progress = progress_tell, .opaque = &progress};
	struct json_object *request = new_request("remove"), *result = NULL;
	char size[SIZE_TEXT_BYTES];
	int status;

	ask_text(request, "disk", args->rest[0]);
	if (args->wipe)
		ask_flag(request, "wipe");
	if (args->force)
		ask_flag(request, "force");
	progress_begin(&progress, args);
	status = ask(args, request, &io, &result);
	progress_end(&progress);
	if (status != EXIT_OK)
		return status;
	if (args->json)
		print_json(result);
	else
		printf("disk %s: removed%s, %s freed\n", text_in(result, "name"),
		       flag_in(result, "wiped") ? " and wiped" : "", size_text(number_in(result, "freed"), size));
	json_object_put(result);
	return EXIT_OK;
}

/* ---- growth ---- */

static void
print_grow(const struct args *args, struct json_object *result)
{
	char before[SIZE_TEXT_BYTES], size[SIZE_TEXT_BYTES];

	printf("pool %s: %s, was %s\n", args->shown, size_text(number_in(result, "size"), size),
	       size_text(number_in(result, "size_before"), before));
}

int
run_grow(const struct args *args)
{
	struct json_object *request;
	char *path = NULL;

	if (args->has_size == (args->add != NULL) || (args->add == NULL && (args->has_add_size || args->force))) {
		say_error("grow: give --size, or --add and what belongs to it");
		return exit_for(args, -EINVAL);
	}
	request = new_request("grow");
	if (args->has_size)
		ask_number(request, "size", args->size_bytes);
	if (args->add != NULL && args->add[0] != '/') {
		/* The server has another working directory. */
		char *dir = getcwd(NULL, 0);

		if (dir == NULL || asprintf(&path, "%s/%s", dir, args->add) < 0)
			path = NULL;
		free(dir);
	}
	ask_text(request, "add", path != NULL ? path : args->add);
	free(path);
	if (args->has_add_size)
		ask_number(request, "add_size", args->add_size_bytes);
	if (args->force)
		ask_flag(request, "force");
	return ask_and_print(args, request, print_grow);
}
