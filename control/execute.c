/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of verbs; a request is compared with it before anything is done.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json_tokener.h>
#include <json-c/linkhash.h>

#include "control/verb.h"

/* More than any request or answer has. */
#define DEPTH_MAX 16

static const struct verb verbs[] = {
	{"info", VERB_READS, {{0}}, verb_info},
	{"list", VERB_READS, {{0}}, verb_list},
	{"map", VERB_READS, {{"disk", KEY_TEXT, false}, {"cells", KEY_NUMBER, true}}, verb_map},
	{"debug-slot", VERB_READS, {{"disk", KEY_TEXT, true}, {"offset", KEY_NUMBER, true}}, verb_debug_slot},
	{"stat", VERB_READS, {{"disk", KEY_TEXT, false}}, verb_stat},
	{"create",
	 0,
	 {{"disk", KEY_TEXT, true},
	  {"size", KEY_NUMBER, true},
	  {"description", KEY_TEXT, false},
	  {"read_only", KEY_FLAG, false},
	  {"reserve", KEY_FLAG, false}},
	 verb_create},
	{"resize", 0, {{"disk", KEY_TEXT, true}, {"size", KEY_NUMBER, true}, {"force", KEY_FLAG, false}}, verb_resize},
	{"rename", 0, {{"disk", KEY_TEXT, true}, {"to", KEY_TEXT, true}}, verb_rename},
	{"set",
	 0,
	 {{"disk", KEY_TEXT, true},
	  {"description", KEY_TEXT, false},
	  {"read_only", KEY_FLAG, false},
	  {"reserve", KEY_FLAG, false}},
	 verb_set},
	{"remove", 0, {{"disk", KEY_TEXT, true}, {"wipe", KEY_FLAG, false}, {"force", KEY_FLAG, false}}, verb_remove},
	{"set-pool", 0, {{"label", KEY_TEXT, false}, {"low_space", KEY_NUMBER, false}}, verb_set_pool},
	{"grow",
	 0,
	 {{"size", KEY_NUMBER, false},
	  {"add", KEY_TEXT, false},
	  {"add_size", KEY_NUMBER, false},
	  {"force", KEY_FLAG, false}},
	 verb_grow},
	{"check", VERB_READS, {{"disk", KEY_TEXT, false}}, verb_check},
	{"scrub", VERB_READS, {{"disk", KEY_TEXT, false}, {"rate", KEY_NUMBER, false}}, verb_scrub},
	{"repair", VERB_ALONE, {{"scrub", KEY_FLAG, false}}, verb_repair},
	{"export", VERB_READS, {{"disk", KEY_TEXT, true}}, verb_export},
	{"import",
	 0,
	 {{"disk", KEY_TEXT, true},
	  {"size", KEY_NUMBER, false},
	  {"data", KEY_NUMBER, false},
	  {"force", KEY_FLAG, false}},
	 verb_import},
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static const struct key *
find_key(const struct verb *verb, const char *name)
{
	for (size_t i = 0; i < sizeof verb->keys / sizeof verb->keys[0] && verb->keys[i].name != NULL; i++) {
		if (strcmp(verb->keys[i].name, name) == 0)
			return &verb->keys[i];
	}
	return NULL;
}

/* Text that is one line and ends where C thinks it does. */
static bool
is_text(struct json_object *value)
{
	const char *text = json_object_get_string(value);
	size_t len = (size_t)json_object_get_string_len(value);

	if (strlen(text) != len || len > 4096)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	}
	return true;
}

static bool
is_of_type(struct json_object *value, enum key_type type)
{
	switch (type) {
	case KEY_TEXT:
		return json_object_is_type(value, json_type_string) && is_text(value);
	case KEY_NUMBER:
		/* Numbers beyond the type are cut to its ends by json-c: INT64_MAX is none. */
		return json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0 &&
		       json_object_get_int64(value) < INT64_MAX;
	case KEY_FLAG:
		return json_object_is_type(value, json_type_boolean);
	}
	return false;
}

static int
check_keys(const struct verb *verb, struct json_object *request, struct prmem_error *err)
{
	static const char *const type_names[] = {"one line of text", "a whole number", "true or false"};

	json_object_object_foreach(request, name, value)
	{
		const struct key *key = find_key(verb, name);

		if (strcmp(name, "verb") == 0)
			continue;
		if (key == NULL)
			return verb_error(err, -EINVAL, "%s has no key \"%.40s\"", verb->name, name);
		if (!is_of_type(value, key->type))
			return verb_error(err, -EINVAL, "%s: \"%s\" must be %s", verb->name, name,
					  type_names[key->type]);
	}
	for (size_t i = 0; i < sizeof verb->keys / sizeof verb->keys[0] && verb->keys[i].name != NULL; i++) {
		if (verb->keys[i].required && !has_key(request, verb->keys[i].name))
			return verb_error(err, -EINVAL, "%s needs the key \"%s\"", verb->name, verb->keys[i].name);
	}
	return 0;
}

static const struct verb *
verb_of(struct json_object *request)
{
	struct json_object *name;

	if (!json_object_object_get_ex(request, "verb", &name) || !json_object_is_type(name, json_type_string))
		return NULL;
	return find_verb(json_object_get_string(name));
}

static int
run(const struct control *control, struct json_object *request, struct json_object *result, struct prmem_error *err)
{
	const struct verb *verb = verb_of(request);
	int r;

	if (verb == NULL)
		return verb_error(err, -EOPNOTSUPP, "the request has no \"verb\" that is known here");
	r = check_keys(verb, request, err);
	if (r < 0)
		return r;
	if (control->served && (verb->flags & VERB_ALONE) != 0)
		return verb_error(err, -EBUSY, "pool %.200s: a server has it; stop the server, then %s", control->path,
				  verb->name);
	return verb->run(control, request, result, err);
}

struct json_object *
control_execute(const struct control *control, struct json_object *request)
{
	struct json_object *answer, *result = json_object_new_object();
	struct prmem_error err = {0};
	int r;

	if (result == NULL)
		return NULL;
	r = run(control, request, result, &err);
	if (r < 0) {
		json_object_put(result);
		return control_refusal(r, "%s", err.message[0] != '\0' ? err.message : strerror(-r));
	}
	answer = json_object_new_object();
	if (answer == NULL) {
		json_object_put(result);
		return NULL;
	}
	put_flag(answer, "ok", true);
	json_object_object_add(answer, "result", result);
	return answer;
}

bool
control_only_reads(const char *name)
{
	const struct verb *verb = find_verb(name);

	return verb != NULL && (verb->flags & VERB_READS) != 0;
}

bool
control_is_change(struct json_object *request)
{
	const struct verb *verb = verb_of(request);

	return verb != NULL && (verb->flags & VERB_READS) == 0;
}

struct json_object *
control_refusal(int code, const char *fmt, ...)
{
	struct json_object *answer = json_object_new_object(), *error = json_object_new_object();
	const char *name = strerrorname_np(-code);
	char message[sizeof(((struct prmem_error *)0)->message)];
	va_list ap;

	if (answer == NULL || error == NULL) {
		json_object_put(answer);
		json_object_put(error);
		return NULL;
	}
	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	put_text(error, "code", name != NULL ? name : "EIO");
	put_text(error, "message", message);
	put_flag(answer, "ok", false);
	json_object_object_add(answer, "error", error);
	return answer;
}

struct json_object *
control_parse(const char *line, size_t len_bytes)
{
	struct json_tokener *tokener;
	struct json_object *object = NULL;

	if (len_bytes == 0 || len_bytes > INT32_MAX || memchr(line, '\0', len_bytes) != NULL)
		return NULL;
	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (tokener == NULL)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, line, (int)len_bytes);
	if (json_tokener_get_error(tokener) != json_tokener_success || !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}
