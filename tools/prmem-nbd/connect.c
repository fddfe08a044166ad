/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connecting with a time limit.  The descriptor that comes out is blocking and
 * has no send timeout of its own: the monitor reads from that timeout whether
 * the kernel has taken the socket (see monitor.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/prmem-nbd/target.h"

static int
connect_in_time(int fd, const struct sockaddr *addr, socklen_t len, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t error_len = sizeof(error);
	int r;

	if (connect(fd, addr, len) == 0)
		return 0;
	/* A Unix socket whose queue is full answers EAGAIN, and there is nothing to poll for. */
	if (errno != EINPROGRESS)
		return -errno;
	do
		r = poll(&p, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (r == 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
		return -errno;
	return -error;
}

static int
connect_addr(int family, const struct sockaddr *addr, socklen_t len, int timeout_ms)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r, one = 1;

	if (fd < 0)
		return -errno;
	r = connect_in_time(fd, addr, len, timeout_ms);
	if (r == 0 && fcntl(fd, F_SETFL, 0) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	if (family != AF_UNIX) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	}
	return fd;
}

static int
connect_unix(const char *path, int timeout_ms, struct why *why)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	memcpy(addr.sun_path, path, strlen(path));
	fd = connect_addr(AF_UNIX, (struct sockaddr *)&addr, sizeof(addr), timeout_ms);
	if (fd == -ENOENT)
		return why_set(why, fd, "%s: no such socket: is the server running?", path);
	if (fd == -ECONNREFUSED)
		return why_set(why, fd, "%s: nobody listens on this socket: start the server", path);
	if (fd < 0)
		return why_set(why, fd, "%s: cannot connect: %s", path, strerror(-fd));
	return fd;
}

static int
connect_tcp(const struct target *t, int timeout_ms, struct why *why)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list, *ai;
	int fd = -EHOSTUNREACH, r;

	r = getaddrinfo(t->host, t->port, &hints, &list);
	if (r != 0)
		return why_set(why, -EHOSTUNREACH, "%s: %s", t->host, gai_strerror(r));
	for (ai = list; ai; ai = ai->ai_next) {
		fd = connect_addr(ai->ai_family, ai->ai_addr, ai->ai_addrlen, timeout_ms);
		if (fd >= 0)
			break;
	}
	freeaddrinfo(list);
	if (fd < 0)
		return why_set(why, fd, "%s port %s: cannot connect: %s", t->host, t->port, strerror(-fd));
	return fd;
}

int
target_connect(const struct target *target, int timeout_ms, struct why *why)
{
	if (target->socket_path)
		return connect_unix(target->socket_path, timeout_ms, why);
	return connect_tcp(target, timeout_ms, why);
}
