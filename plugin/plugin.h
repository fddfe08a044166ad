/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the plugin share.  The plugin translates: parameters into
 * prmem_open() and prmem_disk_create(), NBD requests into prmem_disk_...(),
 * and errors into one line and an NBD error.  It knows nothing of pages.
 */
#ifndef PRMEM_PLUGIN_H
#define PRMEM_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <prmem.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

/* The pool, from .get_ready to .cleanup; NULL otherwise.  exports_end() sets it so under a lock. */
extern struct prmem_pool *the_pool;

/* -D prmem.io=1: every request is written to the debug log. */
extern NBDKIT_DLL_PUBLIC int prmem_debug_io;

/* One for each connection (and one more for each time nbdkit probes). */
struct handle {
	struct prmem_disk *disk;
	bool read_only;
	char name[PRMEM_NAME_MAX + 1];
	struct handle *next, **link; /* under exports.c's lock */
};

/* plugin.c: one line for the person who starts the server, or its log later. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* start.c: open the pool, make the disks that are missing. */
int start_pool(bool read_only);

/* readonly.c: was nbdkit started with -r? */
bool started_read_only(void);

/* exports.c */
#define SIZE_TEXT_BYTES 48
const char *size_text(uint64_t bytes, char text[SIZE_TEXT_BYTES]);
int exports_list(int readonly, int is_tls, struct nbdkit_exports *exports);
const char *exports_default(int readonly, int is_tls);
const char *exports_description(void *handle);
void *exports_open(int readonly);
void exports_close(void *handle);
void exports_end(void);

/* io.c */
int io_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags);
int io_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags);
int io_flush(void *handle, uint32_t flags);
int io_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags);
int io_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags);
int io_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags, struct nbdkit_extents *extents);
int io_cache(void *handle, uint32_t count, uint64_t offset, uint32_t flags);

#endif
