/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading requests, filling answers.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/verb.h"

int
verb_error(struct prmem_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->message, sizeof err->message, fmt, ap);
	va_end(ap);
	err->code = code;
	return code;
}

const char *
get_text(struct json_object *request, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(request, key, &value) ? json_object_get_string(value) : NULL;
}

uint64_t
get_number(struct json_object *request, const char *key, uint64_t missing)
{
	struct json_object *value;

	return json_object_object_get_ex(request, key, &value) ? json_object_get_uint64(value) : missing;
}

bool
get_flag(struct json_object *request, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(request, key, &value) && json_object_get_boolean(value);
}

bool
has_key(struct json_object *request, const char *key)
{
	return json_object_object_get_ex(request, key, NULL);
}

/* Return: how many bytes the character has; 0 when it is none. */
static unsigned int
utf8_bytes(const unsigned char *p)
{
	static const unsigned char first[] = {0, 0, 0xc2, 0xe0, 0xf0}, last[] = {0, 0, 0xdf, 0xef, 0xf4};
	unsigned int nr = p[0] < 0x80 ? 1 : 2;

	while (nr > 1 && nr <= 4 && (p[0] < first[nr] || p[0] > last[nr]))
		nr++;
	if (nr > 4)
		return 0;
	for (unsigned int i = 1; i < nr; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than it needs to be, half of a pair, beyond the last one. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return nr;
}

bool
control_is_utf8(const char *text)
{
	unsigned int nr;

	for (; *text != '\0'; text += nr) {
		nr = utf8_bytes((const unsigned char *)text);
		if (nr == 0)
			return false;
	}
	return true;
}

void
put_text(struct json_object *object, const char *key, const char *text)
{
	char *copy, *to;

	if (control_is_utf8(text) || (copy = malloc(strlen(text) * 3 + 1)) == NULL) {
		json_object_object_add(object, key, json_object_new_string(control_is_utf8(text) ? text : "?"));
		return;
	}
	for (to = copy; *text != '\0';) {
		unsigned int nr = utf8_bytes((const unsigned char *)text);

		to = nr == 0 ? stpcpy(to, "\xef\xbf\xbd") : mempcpy(to, text, nr);
		text += nr == 0 ? 1 : nr;
	}
	json_object_object_add(object, key, json_object_new_string_len(copy, (int)(to - copy)));
	free(copy);
}

void
put_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_uint64(number));
}

void
put_flag(struct json_object *object, const char *key, bool flag)
{
	json_object_object_add(object, key, json_object_new_boolean(flag));
}

void
add_disk(struct json_object *object, const struct prmem_instance_info *info)
{
	put_text(object, "name", info->name);
	put_text(object, "uuid", info->uuid);
	put_text(object, "description", info->description);
	put_number(object, "created", info->created_s);
	put_number(object, "size", info->size_bytes);
	put_number(object, "allocated", info->nr_entries * PRMEM_PAGE_SIZE);
	put_number(object, "nodes", info->nr_nodes);
	put_number(object, "promised", info->nr_promised * PRMEM_PAGE_SIZE);
	put_number(object, "open", info->nr_handles);
	put_number(object, "damaged_slots", info->nr_damaged);
	put_flag(object, "damaged", info->damaged || info->nr_damaged > 0);
	put_flag(object, "read_only", info->read_only);
	put_flag(object, "reserve", info->reserved);
}

struct wanted {
	const char *name;
	struct prmem_instance_info *info;
};

static int
is_wanted(void *opaque, const struct prmem_instance_info *info)
{
	struct wanted *wanted = opaque;

	if (strcmp(info->name, wanted->name) != 0)
		return 0;
	*wanted->info = *info;
	return 1;
}

int
no_such_disk(const struct control *control, const char *name, struct prmem_error *err)
{
	return verb_error(err, -ENOENT, "pool %.200s: there is no disk %.80s", control->path,
			  name[0] != '\0' ? name : "\"\"");
}

int
find_disk(const struct control *control, const char *name, struct prmem_instance_info *ret_info,
	  struct prmem_error *err)
{
	struct wanted wanted = {.name = name, .info = ret_info};

	if (prmem_list(control->pool, PRMEM_SUBSYSTEM_RAMDISK, is_wanted, &wanted) == 1)
		return 0;
	return no_such_disk(control, name, err);
}

int
open_disk(const struct control *control, const char *name, struct prmem_disk **ret_disk, struct prmem_error *err)
{
	int r = prmem_disk_open(control->pool, name, ret_disk, err);

	return r == -ENOENT ? no_such_disk(control, name, err) : r;
}

int
report_disk(const struct control *control, const char *name, struct json_object *result, struct prmem_error *err)
{
	struct prmem_instance_info info;
	int r = find_disk(control, name, &info, err);

	if (r == 0)
		add_disk(result, &info);
	return r;
}

int
report_progress(const struct control *control, uint64_t done, uint64_t total)
{
	if (control->io == NULL || control->io->progress == NULL)
		return 0;
	return control->io->progress(control->io->opaque, done, total) == 0 ? 0 : -ECANCELED;
}
