/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "tools/plain.h"
#include "tools/prmem-nbd/say.h"

static bool to_syslog;

int
why_set(struct why *why, int code, const char *fmt, ...)
{
	va_list args;

	if (why) {
		va_start(args, fmt);
		vsnprintf(why->text, sizeof(why->text), fmt, args);
		va_end(args);
	}
	return code;
}

void
say_to_syslog(void)
{
	openlog("prmem-nbd", LOG_PID, LOG_DAEMON);
	to_syslog = true;
}

static void
say(int priority, const char *fmt, va_list args)
{
	char line[640];

	vsnprintf(line, sizeof(line), fmt, args);
	/* A server's words and names of files are quoted, for a terminal or a log. */
	plain_text(line);
	if (to_syslog)
		syslog(priority, "%s", line);
	else
		fprintf(stderr, "prmem-nbd: %s\n", line);
}

void
say_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(LOG_ERR, fmt, args);
	va_end(args);
}

void
say_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(LOG_NOTICE, fmt, args);
	va_end(args);
}

/*
 * One datagram is all there is to the protocol; a library for it would have to
 * be copied into every initramfs.
 */
void
say_to_manager(const char *state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody can be told when the manager does not listen. */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}
