/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/connection.h"
#include "control/place.h"
#include "control/verb.h"

#define NR_CONNECTIONS 16
/* Small, because a server may have locked all of its memory, stacks included. */
#define STACK_BYTES (512u << 10)

struct slot {
	struct control_server *server;
	struct connection c;
	pthread_t thread;
	bool started; /* by the listener only: there is a thread to be joined */
	atomic_bool ended; /* the thread is about to end; c.fd is closed by who joins it */
};

struct control_server {
	struct control control;
	void (*log)(const char *line);
	struct sockaddr_un address;
	char greeting[256];
	int listen_fd;
	int wake_fd;
	atomic_bool stop;
	pthread_t thread;
	struct slot slots[NR_CONNECTIONS];
};

static void *
serve_one(void *opaque)
{
	struct slot *slot = opaque;

	connection_serve(&slot->c);
	/* Now, so that the client does not wait for the listener to come round. */
	shutdown(slot->c.fd, SHUT_RDWR);
	atomic_store(&slot->ended, true);
	return NULL;
}

static void
join_slot(struct slot *slot)
{
	pthread_join(slot->thread, NULL);
	close(slot->c.fd);
	slot->started = false;
}

/* Return: one that is free, or NULL. */
static struct slot *
free_slot(struct control_server *server)
{
	for (unsigned int i = 0; i < NR_CONNECTIONS; i++) {
		struct slot *slot = &server->slots[i];

		if (slot->started && atomic_load(&slot->ended))
			join_slot(slot);
		if (!slot->started)
			return slot;
	}
	return NULL;
}

/* As pthread_create(), with a small stack and without signals that are meant for the server. */
static int
start_thread(pthread_t *ret_thread, void *(*fn)(void *), void *opaque)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int r;

	sigfillset(&all);
	/* Blocked, these would end the process without a chance for whoever handles them. */
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGTRAP);
	sigdelset(&all, SIGABRT);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(ret_thread, &attr, fn, opaque);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

static void
accept_one(struct control_server *server)
{
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct ucred peer = {0};
	socklen_t len = sizeof peer;
	struct slot *slot;

	if (fd < 0) {
		/* Out of descriptors, perhaps: not again at once. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			(void)poll(&(struct pollfd){.fd = server->wake_fd, .events = POLLIN}, 1, 1000);
		return;
	}
	slot = free_slot(server);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || (peer.uid != 0 && peer.uid != geteuid())) {
		connection_refuse(fd, -EACCES, "only root and the user who runs the server may ask");
	} else if (slot == NULL) {
		connection_refuse(fd, -EAGAIN, "too many connections; try again");
	} else {
		slot->server = server;
		slot->c = (struct connection){
			.fd = fd,
			.pool = &server->control,
			.greeting = server->greeting,
			.stop = &server->stop,
			.log = server->log,
			.peer = peer,
		};
		atomic_store(&slot->ended, false);
		slot->started = start_thread(&slot->thread, serve_one, slot) == 0;
		if (slot->started)
			return;
		connection_refuse(fd, -EAGAIN, "no thread for one more connection; try again");
	}
	close(fd);
}

static void *
listen_loop(void *opaque)
{
	struct control_server *server = opaque;
	struct pollfd p[2] = {{.fd = server->wake_fd, .events = POLLIN}, {.fd = server->listen_fd, .events = POLLIN}};

	while (!atomic_load(&server->stop)) {
		if (poll(p, 2, -1) > 0 && (p[1].revents & POLLIN) != 0)
			accept_one(server);
	}
	for (unsigned int i = 0; i < NR_CONNECTIONS; i++) {
		if (!server->slots[i].started)
			continue;
		shutdown(server->slots[i].c.fd, SHUT_RDWR);
		join_slot(&server->slots[i]);
	}
	return NULL;
}

/* Does somebody listen there? */
static bool
is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive =
		fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return alive;
}

static int
listen_at(const struct sockaddr_un *address, int *ret_fd)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	/* On Linux bind() gives the file the mode of the socket: it is never wider. */
	r = fchmod(fd, 0600) < 0 ? -errno : place_make_dir(address);
	if (r == 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
		r = -errno;
		if (r == -EADDRINUSE && !is_alive(address)) {
			/* Left by one that was killed. */
			(void)unlink(address->sun_path);
			r = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;
		}
	}
	if (r == 0 && (chmod(address->sun_path, 0600) < 0 || listen(fd, NR_CONNECTIONS) < 0))
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int
find_place(struct control_server *server, const char *uuid, struct prmem_error *err)
{
	int r = -ENOENT;

	for (unsigned int i = 0; i < PLACE_NR; i++) {
		struct sockaddr_un address;
		int placed = place_of(i, geteuid(), uuid, &address);

		if (placed == -ENOENT)
			continue;
		server->address = address;
		r = placed < 0 ? placed : listen_at(&address, &server->listen_fd);
		if (r == 0 || r == -EADDRINUSE)
			break;
	}
	if (r == -EADDRINUSE)
		return verb_error(err, r, "control socket %s: another server has it, of this pool or of a copy of it",
				  server->address.sun_path);
	return r < 0 ? verb_error(err, r, "control socket %s: cannot be made: %s", server->address.sun_path,
				  strerror(-r))
		     : 0;
}

static void
make_greeting(struct control_server *server, const char *uuid)
{
	struct stat st = {0};

	/* With these a client sees whether it is the very pool it means, and not a copy. */
	(void)stat(server->control.path, &st);
	snprintf(server->greeting, sizeof server->greeting,
		 "{\"prmem_control\":%d,\"version\":\"%s\",\"pool\":\"%s\",\"device\":%llu,\"inode\":%llu}\n",
		 CONTROL_PROTOCOL, prmem_version(), uuid,
		 (unsigned long long)(S_ISCHR(st.st_mode) ? st.st_rdev : st.st_dev),
		 (unsigned long long)(S_ISCHR(st.st_mode) ? 0 : st.st_ino));
}

int
control_server_start(const struct control_server_args *args, struct control_server **ret_server,
		     struct prmem_error *err)
{
	struct control_server *server = calloc(1, sizeof *server);
	struct prmem_pool_info info;
	int r;

	if (server == NULL)
		return verb_error(err, -ENOMEM, "control socket: out of memory");
	server->control = (struct control){.pool = args->pool, .path = args->path, .served = true};
	server->log = args->log;
	prmem_pool_info(args->pool, &info, sizeof info);
	make_greeting(server, info.uuid);
	r = find_place(server, info.uuid, err);
	if (r < 0) {
		free(server);
		return r;
	}
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = server->wake_fd < 0 ? -errno : start_thread(&server->thread, listen_loop, server);
	if (r < 0) {
		verb_error(err, r, "control socket: cannot be served: %s", strerror(-r));
		(void)unlink(server->address.sun_path);
		close(server->listen_fd);
		if (server->wake_fd >= 0)
			close(server->wake_fd);
		free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

void
control_server_stop(struct control_server *server)
{
	const uint64_t one = 1;

	if (server == NULL)
		return;
	(void)unlink(server->address.sun_path);
	atomic_store(&server->stop, true);
	(void)!write(server->wake_fd, &one, sizeof one);
	pthread_join(server->thread, NULL);
	close(server->listen_fd);
	close(server->wake_fd);
	free(server);
}

const char *
control_server_address(const struct control_server *server)
{
	return server->address.sun_path;
}
