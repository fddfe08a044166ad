/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exports: every disk of the pool, looked up when a client asks, so that a new
 * disk is served at once; with disk=, that one disk under any name.
 */
#include "plugin/exports.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugin/params.h"
#include "plugin/say.h"
#include "plugin/start.h"

#define DESCRIPTION_BYTES 512

/*
 * Taken when a connection starts or ends.  Guards the list of open handles, and
 * the_pool against .cleanup: nbdkit may start a connection while it shuts down.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct handle *open_handles;

/* describe() - one line about a disk. */
static void
describe(const struct prmem_instance_info *info, char text[DESCRIPTION_BYTES])
{
	char size[SIZE_TEXT_BYTES], allocated[SIZE_TEXT_BYTES], created[32] = "?";
	time_t t = (time_t)info->created_s;
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(created, sizeof(created), "%Y-%m-%d %H:%M:%S UTC", &tm);
	snprintf(text, DESCRIPTION_BYTES, "%s%s%s, %s allocated, created %s%s%s", info->description,
		 info->description[0] ? ": " : "", size_text(info->size_bytes, size),
		 size_text(info->nr_entries * PRMEM_PAGE_SIZE, allocated), created,
		 info->read_only ? ", read-only" : "", info->damaged || info->nr_damaged > 0 ? ", damaged" : "");
}

static int
list_one(void *opaque, const struct prmem_instance_info *info)
{
	char text[DESCRIPTION_BYTES];

	if (params.disk && strcmp(info->name, params.disk) != 0)
		return 0;
	describe(info, text);
	return nbdkit_add_export(opaque, info->name, text);
}

int
exports_list(int readonly, int is_tls, struct nbdkit_exports *exports)
{
	int r = -1;

	(void)readonly, (void)is_tls;
	pthread_mutex_lock(&lock);
	if (the_pool)
		r = prmem_list(the_pool, PRMEM_SUBSYSTEM_RAMDISK, list_one, exports) == 0 ? 0 : -1;
	pthread_mutex_unlock(&lock);
	return r;
}

/* choose_default() - pram0 if there is one, else the first disk. */
static int
choose_default(void *opaque, const struct prmem_instance_info *info)
{
	char *name = opaque;
	bool is_pram0 = strcmp(info->name, "pram0") == 0;

	if (name[0] == '\0' || is_pram0)
		memcpy(name, info->name, sizeof(info->name));
	return is_pram0;
}

const char *
exports_default(int readonly, int is_tls)
{
	char name[PRMEM_NAME_MAX + 1] = "";

	(void)readonly, (void)is_tls;
	if (params.disk)
		return params.disk;
	pthread_mutex_lock(&lock);
	if (the_pool)
		(void)prmem_list(the_pool, PRMEM_SUBSYSTEM_RAMDISK, choose_default, name);
	pthread_mutex_unlock(&lock);
	return name[0] ? nbdkit_strdup_intern(name) : NULL;
}

const char *
exports_description(void *handle)
{
	struct handle *h = handle;
	struct prmem_instance_info info;
	struct prmem_pool_info pool;
	char text[DESCRIPTION_BYTES];
	size_t len;

	prmem_disk_info(h->disk, &info, sizeof info);
	describe(&info, text);
	/* By this prmem-nbd recognises the disk, at whatever address it is served. */
	prmem_pool_info(the_pool, &pool, sizeof pool);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ", pool %s", pool.uuid);
	return nbdkit_strdup_intern(text);
}

/*
 * exports_open() - nbdkit's .open.  It is called more than once for a client
 * (NBD_OPT_INFO, NBD_OPT_GO), so it changes only memory.
 */
void *
exports_open(int readonly)
{
	const char *name = params.disk ? params.disk : nbdkit_export_name();
	struct prmem_error err = {0};
	struct handle *h;
	int r;

	if (name && name[0] == '\0')
		name = exports_default(readonly, 0); /* the oldstyle protocol names no export */
	if (!name || !disk_name_is_valid(name)) {
		nbdkit_error("a client asked for an export with an invalid name: nbdinfo --list shows the exports");
		return NULL;
	}
	h = calloc(1, sizeof(*h));
	if (!h) {
		nbdkit_error("no memory for a connection");
		return NULL;
	}
	h->read_only = readonly != 0;
	snprintf(h->name, sizeof(h->name), "%s", name);

	pthread_mutex_lock(&lock);
	r = the_pool ? prmem_disk_open(the_pool, name, &h->disk, &err) : -ESHUTDOWN;
	if (r == 0) {
		h->next = open_handles;
		h->link = &open_handles;
		if (h->next)
			h->next->link = &h->next;
		open_handles = h;
	}
	pthread_mutex_unlock(&lock);
	if (r == 0)
		return h;
	if (r == -ENOENT)
		nbdkit_error("disk %s does not exist in pool %s: nbdinfo --list shows the exports", name, params.pool);
	else
		nbdkit_error("disk %s cannot be opened: %s", name, err.message[0] ? err.message : strerror(-r));
	free(h);
	return NULL;
}

/* let_go() - close a handle.  Context: lock held. */
static void
let_go(struct handle *h)
{
	*h->link = h->next;
	if (h->next)
		h->next->link = h->link;
	prmem_disk_close(h->disk);
	free(h);
}

void
exports_close(void *handle)
{
	pthread_mutex_lock(&lock);
	let_go(handle);
	pthread_mutex_unlock(&lock);
}

/*
 * exports_end() - close all handles, then the pool.
 * When a signal ends a connection, nbdkit does not call .close; its threads
 * have ended before .cleanup is called.  A connection that begins after this is
 * refused.
 */
void
exports_end(void)
{
	pthread_mutex_lock(&lock);
	while (open_handles)
		let_go(open_handles);
	if (the_pool)
		prmem_close(the_pool);
	the_pool = NULL;
	pthread_mutex_unlock(&lock);
}
