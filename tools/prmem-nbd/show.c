/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/plain.h"
#include "tools/prmem-nbd/device.h"
#include "tools/prmem-nbd/session.h"

#define EXIT_NOT_ATTACHED 3

enum condition {
	CONDITION_ATTACHED, /* connected, and looked after */
	CONDITION_WAITING, /* the same, but the server is away */
	CONDITION_UNATTENDED, /* connected, but no monitor would reattach it */
	CONDITION_DETACHED,
};

static const char *const condition_names[] = {
	[CONDITION_ATTACHED] = "attached",
	[CONDITION_WAITING] = "waiting",
	[CONDITION_UNATTENDED] = "unattended",
	[CONDITION_DETACHED] = "detached",
};

static enum condition
condition_of(const struct state *state)
{
	if (!device_is_connected(state->index))
		return CONDITION_DETACHED;
	if (state_monitor(state->index) == 0)
		return CONDITION_UNATTENDED;
	return state->nr_live == 0 ? CONDITION_WAITING : CONDITION_ATTACHED;
}

static void
human_size(char *buf, size_t buf_bytes, uint64_t size)
{
	static const char units[] = "BKMGTPE";
	unsigned int unit = 0;

	while (size >= 1024 && size % 1024 == 0) {
		size /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(buf, buf_bytes, "%llu", (unsigned long long)size);
	else
		snprintf(buf, buf_bytes, "%llu%c", (unsigned long long)size, units[unit]);
}

/* For people.  The server chose its words. */
static void
make_plain(struct state *s)
{
	plain_text(s->export_name);
	plain_text(s->uri);
	plain_text(s->identifier);
}

static json_object *
to_json(const struct state *s)
{
	json_object *o = json_object_new_object();
	enum condition condition = condition_of(s);
	char device[32];

	snprintf(device, sizeof(device), "/dev/nbd%d", s->index);
	json_object_object_add(o, "device", json_object_new_string(device));
	json_object_object_add(o, "state", json_object_new_string(condition_names[condition]));
	json_object_object_add(o, "export", json_object_new_string(s->export_name));
	json_object_object_add(o, "uri", json_object_new_string(s->uri));
	json_object_object_add(o, "identifier", json_object_new_string(s->identifier));
	json_object_object_add(o, "size", json_object_new_uint64(s->size_bytes));
	json_object_object_add(o, "block_size", json_object_new_int((int)s->block_bytes));
	json_object_object_add(o, "read_only", json_object_new_boolean(s->read_only));
	json_object_object_add(o, "connections", json_object_new_int((int)s->nr_connections));
	json_object_object_add(o, "live_connections", json_object_new_int((int)s->nr_live));
	json_object_object_add(o, "timeout", json_object_new_int((int)s->timeout_s));
	json_object_object_add(o, "reattach_timeout", json_object_new_int((int)s->reattach_timeout_s));
	json_object_object_add(o, "reattached", json_object_new_uint64(s->nr_reattached));
	json_object_object_add(o, "since", json_object_new_int64(s->since_s));
	json_object_object_add(o, "monitor", json_object_new_int((int)state_monitor(s->index)));
	json_object_object_add(o, "in_use", json_object_new_boolean(device_is_used(s->index)));
	return o;
}

static int
print_json(json_object *o)
{
	plain_put_json(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return fflush(stdout) != 0 || ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
list_run(bool json)
{
	int indices[STATES_MAX], nr = state_list(indices, STATES_MAX), i, status = EXIT_SUCCESS;
	json_object *array = json ? json_object_new_array() : NULL;
	bool head = false;

	if (nr < 0) {
		say_error("%s: %s", state_dir(), strerror(-nr));
		json_object_put(array);
		return EXIT_FAILURE;
	}
	for (i = 0; i < nr; i++) {
		struct state state;
		struct why why;
		char size[32];

		if (state_read(indices[i], &state, &why) < 0) {
			say_error("%s", why.text);
			status = EXIT_FAILURE;
			continue;
		}
		if (condition_of(&state) == CONDITION_DETACHED) {
			/* left by a monitor that was killed together with its device */
		} else if (json) {
			json_object_array_add(array, to_json(&state));
		} else {
			if (!head)
				printf("%-12s %-11s %8s  %-20s %s\n", "DEVICE", "STATE", "SIZE", "EXPORT", "SERVER");
			head = true;
			make_plain(&state);
			human_size(size, sizeof(size), state.size_bytes);
			printf("/dev/nbd%-4d %-11s %8s  %-20s %s\n", state.index, condition_names[condition_of(&state)],
			       size, state.export_name, state.uri);
		}
		state_free(&state);
	}
	if (json && print_json(array) != EXIT_SUCCESS)
		status = EXIT_FAILURE;
	return status;
}

static void
print_status(const struct state *s)
{
	enum condition condition = condition_of(s);
	char size[32];

	human_size(size, sizeof(size), s->size_bytes);
	printf("device:       /dev/nbd%d\n", s->index);
	printf("state:        %s%s\n", condition_names[condition],
	       condition == CONDITION_UNATTENDED ? " (nobody reattaches it: run \"prmem-nbd attach\" again)" : "");
	printf("export:       %s\n", s->export_name);
	printf("server:       %s\n", s->uri);
	printf("identifier:   %s\n", s->identifier);
	printf("size:         %s (blocks of %u bytes%s)\n", size, s->block_bytes, s->read_only ? ", read-only" : "");
	printf("connections:  %u of %u\n", s->nr_live, s->nr_connections);
	printf("timeout:      %u s, without a server %u s\n", s->timeout_s, s->reattach_timeout_s);
	printf("reattached:   %llu times\n", (unsigned long long)s->nr_reattached);
	printf("monitor:      process %d\n", (int)state_monitor(s->index));
	printf("in use:       %s\n", device_is_used(s->index) ? "yes" : "no");
}

int
status_run(const char *device, bool json)
{
	int index = device_index(device);
	struct state state;
	struct why why;
	int status;

	if (index < 0) {
		say_error("%s: not the name of an nbd device", device);
		return EXIT_FAILURE;
	}
	if (!device_is_connected(index)) {
		say_error("/dev/nbd%d: not attached", index);
		return EXIT_NOT_ATTACHED;
	}
	if (state_read(index, &state, &why) < 0) {
		say_error("%s", why.text);
		return EXIT_FAILURE;
	}
	if (json) {
		status = print_json(to_json(&state));
	} else {
		make_plain(&state);
		print_status(&state);
		status = fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	state_free(&state);
	return status;
}
