/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Was nbdkit started with -r?
 *
 * With -r the pool must be opened read-only, with a shared lock and not a byte
 * changed, and already in .get_ready, so that whoever starts the server sees
 * errors.  But nbdkit passes -r to a plugin only when a client connects
 * (.preconnect, .open).  Opening the pool that late would hide its errors;
 * opening it for writing first would change it.  So this file reads the command
 * line again, with nbdkit's table of options: that of 1.32, and the options
 * that were added up to 1.46.
 *
 * When this guess is wrong (an option that a later nbdkit adds with a separate
 * argument "-r"; arguments in an @file) nothing is lost: an export is writable
 * only if this file and nbdkit's argument of .open both allow it.
 */
#include "plugin/readonly.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char short_options[] = "46D:e:fg:i:nop:P:rst:u:U:vV";

/* All that matters is which options take an argument, and which is -r. */
static const struct option long_options[] = {
	{"ipv4-only", no_argument, NULL, '4'},
	{"ipv6-only", no_argument, NULL, '6'},
	{"debug", required_argument, NULL, 'D'},
	{"dump-config", no_argument, NULL, 0},
	{"dump-plugin", no_argument, NULL, 0},
	{"exit-with-parent", no_argument, NULL, 0},
	{"export", required_argument, NULL, 'e'},
	{"export-name", required_argument, NULL, 'e'},
	{"exportname", required_argument, NULL, 'e'},
	{"filter", required_argument, NULL, 0},
	{"foreground", no_argument, NULL, 'f'},
	{"no-fork", no_argument, NULL, 'f'},
	{"group", required_argument, NULL, 'g'},
	{"help", no_argument, NULL, 0},
	{"ip-addr", required_argument, NULL, 'i'},
	{"ipaddr", required_argument, NULL, 'i'},
	{"keepalive", no_argument, NULL, 0},
	{"log", required_argument, NULL, 0},
	{"long-options", no_argument, NULL, 0},
	{"mask-handshake", required_argument, NULL, 0},
	{"name", required_argument, NULL, 0},
	{"new-style", no_argument, NULL, 'n'},
	{"newstyle", no_argument, NULL, 'n'},
	{"no-mc", no_argument, NULL, 0},
	{"no-meta-contexts", no_argument, NULL, 0},
	{"no-sr", no_argument, NULL, 0},
	{"no-structured-replies", no_argument, NULL, 0},
	{"old-style", no_argument, NULL, 'o'},
	{"oldstyle", no_argument, NULL, 'o'},
	{"pid-file", required_argument, NULL, 'P'},
	{"pidfile", required_argument, NULL, 'P'},
	{"port", required_argument, NULL, 'p'},
	{"print-uri", no_argument, NULL, 0},
	{"read-only", no_argument, NULL, 'r'},
	{"readonly", no_argument, NULL, 'r'},
	{"run", required_argument, NULL, 0},
	{"selinux-label", required_argument, NULL, 0},
	{"short-options", no_argument, NULL, 0},
	{"single", no_argument, NULL, 's'},
	{"stdin", no_argument, NULL, 's'},
	{"swap", no_argument, NULL, 0},
	{"threads", required_argument, NULL, 't'},
	{"timeout", required_argument, NULL, 0},
	{"tls", required_argument, NULL, 0},
	{"tls-certificates", required_argument, NULL, 0},
	{"tls-priority", required_argument, NULL, 0},
	{"tls-psk", required_argument, NULL, 0},
	{"tls-verify-peer", no_argument, NULL, 0},
	{"unix", required_argument, NULL, 'U'},
	{"user", required_argument, NULL, 'u'},
	{"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, 'V'},
	{"vsock", no_argument, NULL, 0},
	{NULL, 0, NULL, 0},
};

/*
 * read_command_line() - the process's arguments as one block of strings.
 * Return: the block, to be freed, and its length; NULL without /proc.
 */
static char *
read_command_line(size_t *ret_len_bytes)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	char *block = NULL;
	size_t len = 0, room = 0;

	if (fd < 0)
		return NULL;
	for (;;) {
		ssize_t n;

		if (room - len < 4096) {
			char *grown = realloc(block, room + 65536);

			if (!grown)
				break;
			block = grown;
			room += 65536;
		}
		n = read(fd, block + len, room - len - 1);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (len == 0) {
		free(block);
		return NULL;
	}
	block[len] = '\0';
	*ret_len_bytes = len;
	return block;
}

bool
started_read_only(void)
{
	/* nbdkit continues its own scan after this. */
	const int saved_ind = optind, saved_err = opterr, saved_opt = optopt;
	char *const saved_arg = optarg;
	size_t len = 0, nr = 0;
	char *block = read_command_line(&len);
	char **args = NULL;
	bool found = false;
	int c;

	if (!block)
		return false;
	for (size_t i = 0; i < len; i += strlen(block + i) + 1)
		nr++;
	args = calloc(nr + 1, sizeof(*args));
	if (!args) {
		free(block);
		return false;
	}
	nr = 0;
	for (size_t i = 0; i < len; i += strlen(block + i) + 1)
		args[nr++] = block + i;

	optind = 0; /* glibc: start again */
	opterr = 0;
	while ((c = getopt_long((int)nr, args, short_options, long_options, NULL)) != -1) {
		if (c == 'r')
			found = true;
	}

	optind = saved_ind;
	opterr = saved_err;
	optopt = saved_opt;
	optarg = saved_arg;
	free(args);
	free(block);
	return found;
}
