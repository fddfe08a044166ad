/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What requests are made of, and what is in answers.
 */
#include "tools/plain.h"
#include "tools/prmemctl/ctl.h"

struct json_object *
new_request(const char *verb)
{
	struct json_object *request = json_object_new_object();

	ask_text(request, "verb", verb);
	return request;
}

void
ask_text(struct json_object *request, const char *key, const char *text)
{
	if (text != NULL)
		json_object_object_add(request, key, json_object_new_string(text));
}

void
ask_number(struct json_object *request, const char *key, uint64_t number)
{
	json_object_object_add(request, key, json_object_new_uint64(number));
}

void
ask_flag(struct json_object *request, const char *key)
{
	json_object_object_add(request, key, json_object_new_boolean(true));
}

void
print_json(struct json_object *object)
{
	plain_put_json(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

const char *
text_in(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && value != NULL ? json_object_get_string(value) : "";
}

uint64_t
number_in(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

bool
flag_in(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

struct json_object *
part_in(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? value : NULL;
}
