/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the verbs share.
 */
#ifndef PRMEM_CONTROL_VERB_H
#define PRMEM_CONTROL_VERB_H

#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"

enum key_type {
	KEY_TEXT,
	KEY_NUMBER, /* 0 to 2^63 - 1 */
	KEY_FLAG,
};

struct key {
	const char *name;
	enum key_type type;
	bool required;
};

#define VERB_READS 1u /* changes nothing: a pool that is opened read-only will do */
#define VERB_ALONE 2u /* not while a server has the pool */

/*
 * @run: 0, or a negative errno and one line in @err; what is in @result by
 *   then is the answer
 */
struct verb {
	const char *name;
	unsigned int flags;
	struct key keys[6];
	int (*run)(const struct control *control, struct json_object *request, struct json_object *result,
		   struct prmem_error *err);
};

/* verb_error() - describe a failure.  Return: @code. */
int verb_error(struct prmem_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Keys of a request that has been checked.  Return: what it says; NULL, @missing or false where it says nothing. */
const char *get_text(struct json_object *request, const char *key);
uint64_t get_number(struct json_object *request, const char *key, uint64_t missing);
bool get_flag(struct json_object *request, const char *key);
bool has_key(struct json_object *request, const char *key);

/* Fields of an answer. */
void put_text(struct json_object *object, const char *key, const char *text);
void put_number(struct json_object *object, const char *key, uint64_t number);
void put_flag(struct json_object *object, const char *key, bool flag);

/* add_disk() - what a list says of a disk, into an object. */
void add_disk(struct json_object *object, const struct prmem_instance_info *info);

/* no_such_disk() - say so.  Return: -ENOENT. */
int no_such_disk(const struct control *control, const char *name, struct prmem_error *err);

/* find_disk() - look one up.  Return: 0, -ENOENT and said so. */
int find_disk(const struct control *control, const char *name, struct prmem_instance_info *ret_info,
	      struct prmem_error *err);

/* open_disk() - as prmem_disk_open(), but the message says disk, not ramdisk. */
int open_disk(const struct control *control, const char *name, struct prmem_disk **ret_disk, struct prmem_error *err);

/* report_disk() - find a disk and add it to an answer. */
int report_disk(const struct control *control, const char *name, struct json_object *result, struct prmem_error *err);

/* report_progress() - tell the one who asked.  Return: 0, -ECANCELED. */
int report_progress(const struct control *control, uint64_t done, uint64_t total);

/* data_behind() - bytes of data that a disk has from @off on. */
int data_behind(const struct control *control, const char *name, uint64_t off, uint64_t *ret_bytes,
		struct prmem_error *err);

#define VERB(name)                                                                                                     \
	int verb_##name(const struct control *control, struct json_object *request, struct json_object *result,        \
			struct prmem_error *err)
/* verbs_show.c */
VERB(info);
VERB(list);
VERB(map);
/* verbs_debug.c */
VERB(debug_slot);
/* verbs_stat.c */
VERB(stat);
/* verbs_disk.c */
VERB(create);
VERB(resize);
VERB(rename);
VERB(set);
VERB(remove);
/* verbs_pool.c */
VERB(set_pool);
VERB(grow);
/* verbs_check.c */
VERB(check);
VERB(scrub);
VERB(repair);
/* verbs_data.c */
VERB(export);
VERB(import);

#endif
