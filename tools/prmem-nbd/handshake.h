/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first half of the NBD protocol: from a fresh connection to the moment
 * when the kernel may take the socket.  Only what the kernel's client can use
 * is negotiated: simple replies, no TLS.
 */
#ifndef PRMEM_NBD_HANDSHAKE_H
#define PRMEM_NBD_HANDSHAKE_H

#include <stdint.h>

#include "tools/prmem-nbd/target.h"

struct export_info {
	uint64_t size_bytes;
	uint16_t flags; /* NBD_FLAG_... of <linux/nbd.h> */
	uint32_t min_block; /* 1 where the server does not say */
	uint32_t max_request; /* bytes; 0 where the server does not say */
	char name[4097]; /* as the server calls it; what was asked for where it does not say */
	char description[4097]; /* "" where there is none */
};

enum handshake_end {
	HANDSHAKE_GO, /* the connection is ready for requests */
	HANDSHAKE_ASK, /* only ask; the connection is closed politely */
};

/*
 * handshake() - negotiate on a connection.
 * @fd: fresh from target_connect(); blocking
 * @timeout_ms: for the whole of it
 * Nothing behind the server's last answer is read from @fd.
 * Return: 0 and *ret_info; -ENOENT (no such export), -EPROTO (not NBD, or
 *   against its rules), -ENOTSUP (the server wants what the kernel cannot do,
 *   or cannot do what is needed), -ETIMEDOUT, -ECONNRESET, or what the system said.
 */
int handshake(int fd, const char *export_name, enum handshake_end end, int timeout_ms, struct export_info *ret_info,
	      struct why *why);

/*
 * handshake_open() - connect and negotiate.
 * Return: a descriptor with HANDSHAKE_GO, 0 with HANDSHAKE_ASK, or a negative errno as above.
 */
int handshake_open(const struct target *target, enum handshake_end end, int timeout_ms, struct export_info *ret_info,
		   struct why *why);

#endif
