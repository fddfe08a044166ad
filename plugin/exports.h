/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exports and the connections to them, as nbdkit's callbacks of the same names.
 */
#ifndef PRMEM_PLUGIN_EXPORTS_H
#define PRMEM_PLUGIN_EXPORTS_H

#include <stdbool.h>

#include <prmem.h>

#include "plugin/nbdkit.h"

/* One for each connection (and one more for each time nbdkit probes). */
struct handle {
	struct prmem_disk *disk;
	bool read_only;
	char name[PRMEM_NAME_MAX + 1];
	struct handle *next, **link; /* under exports.c's lock */
};

int exports_list(int readonly, int is_tls, struct nbdkit_exports *exports);
const char *exports_default(int readonly, int is_tls);
const char *exports_description(void *handle);
void *exports_open(int readonly);
void exports_close(void *handle);

/* exports_end() - close all handles, then the pool. */
void exports_end(void);

#endif
