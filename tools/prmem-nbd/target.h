/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a server listens and which of its exports is meant.
 */
#ifndef PRMEM_NBD_TARGET_H
#define PRMEM_NBD_TARGET_H

#include "tools/prmem-nbd/say.h"

#define TARGET_EXPORT_MAX 4096 /* the longest string NBD allows */

struct target {
	char *socket_path; /* of a Unix socket, else NULL */
	char *host, *port; /* of a TCP server, else NULL */
	char *export_name; /* "" means the server's default */
};

/*
 * target_parse() - understand URI|SOCKET|POOL/DISK [EXPORT].
 * @where: nbd://HOST[:PORT]/[EXPORT], nbd+unix:///[EXPORT]?socket=PATH, the path of a Unix socket, or
 *   POOL/DISK for /run/prmem/POOL.sock
 * @export_name: or NULL; with a URI that names another one it is an error
 * Return: 0 and *ret_target, to be freed with target_free(); -EINVAL, -ENOMEM.
 */
int target_parse(const char *where, const char *export_name, struct target *ret_target, struct why *why);

void target_free(struct target *target);

/*
 * target_uri() - write the target as a URI.
 * Return: a new string, or NULL without memory.
 */
char *target_uri(const struct target *target);

/*
 * target_connect() - connect to the server.
 * @timeout_ms: give up after so long
 * Return: a descriptor (close-on-exec, blocking) or a negative errno.
 */
int target_connect(const struct target *target, int timeout_ms, struct why *why);

#endif
