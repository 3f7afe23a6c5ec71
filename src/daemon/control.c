/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/num.h"
#include "base/str.h"
#include "recon/defaults.h"

struct server {
	struct control *control;
	bool changes; /* the control socket */
	char *path, *directory;
	int fd;
	sd_event_source *source;
	dev_t device; /* of the socket we made; 0: none */
	ino_t inode;
	bool broken; /* could not be made again: said once */
};

struct control {
	struct control_options options;
	struct server status, changes;
	struct connection **connections;
	size_t count;
	char *group; /* as the settings name it */
	gid_t gid;
	bool unknown; /* the group does not exist: said once, tried again */
};

/* --- directories and sockets ---------------------------------------------------- */

static mode_t directory_mode(const struct server *s)
{
	if (!s->changes)
		return 0755;
	return s->control->gid == (gid_t)-1 ? 0700 : 0750;
}

static mode_t socket_mode(const struct server *s)
{
	if (!s->changes)
		return 0666;
	return s->control->gid == (gid_t)-1 ? 0600 : 0660;
}

static gid_t owner_gid(const struct server *s)
{
	return s->changes && s->control->gid != (gid_t)-1 ? s->control->gid : 0;
}

static int protect_directory(const struct server *s, int *ret_fd, struct error *e)
{
	cleanup(closep) int fd = -1;

	if (mkdir(s->directory, 0700) < 0 && errno != EEXIST)
		return error_set(e, -errno, "cannot create %s: %s", s->directory,
				 error_string(errno));
	fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, 0, owner_gid(s)) < 0 || fchmod(fd, directory_mode(s)) < 0)
		return error_set(e, -errno, "cannot prepare %s: %s", s->directory,
				 error_string(errno));
	*ret_fd = take_fd(fd);
	return 0;
}

/* Only root writes to the directory, so the name is the socket we made. */
static int protect_socket(const struct server *s, const char *path, struct error *e)
{
	if (chown(path, 0, owner_gid(s)) < 0 || chmod(path, socket_mode(s)) < 0)
		return error_set(e, -errno, "cannot set the mode of %s: %s", path,
				 error_string(errno));
	return 0;
}

static int bind_at(const struct server *s, const char *path, struct error *e)
{
	cleanup(closep) int dir = -1;
	struct sockaddr_un address;
	mode_t mask;
	int r = varlink_address(path, &address, &dir, e);

	if (r < 0)
		return r;
	(void)unlink(path);
	mask = umask(0777); /* nobody connects before owner and mode are right */
	r = bind(s->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	(void)umask(mask);
	return r < 0 ? error_set(e, r, "cannot bind %s: %s", path, error_string(r)) : 0;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *arg);

/* Whether what is at the path now is the socket we made. */
static bool server_is_there(const struct server *s)
{
	struct stat st;

	return s->source && lstat(s->path, &st) == 0 && st.st_dev == s->device &&
	       st.st_ino == s->inode;
}

static void server_stop(struct server *s)
{
	s->source = sd_event_source_disable_unref(s->source);
	closep(&s->fd);
	s->fd = -1;
}

/* Made under another name and renamed, so that clients of a restarting daemon never find nothing. */
static int server_start(struct server *s, struct error *e)
{
	cleanup(freep) char *fresh = xasprintf("%s.new", s->path);
	cleanup(closep) int dir = -1;
	struct stat st;
	int r = protect_directory(s, &dir, e);

	if (r < 0)
		return r;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return error_set(e, -errno, "cannot make a socket: %s", error_string(errno));
	r = bind_at(s, fresh, e);
	if (r == 0)
		r = protect_socket(s, fresh, e);
	if (r < 0)
		return r;
	if (listen(s->fd, SOMAXCONN) < 0 || lstat(fresh, &st) < 0 || rename(fresh, s->path) < 0)
		return error_set(e, -errno, "cannot listen at %s: %s", s->path,
				 error_string(errno));
	s->device = st.st_dev;
	s->inode = st.st_ino;
	r = sd_event_add_io(s->control->options.event, &s->source, s->fd, EPOLLIN, on_accept, s);
	return r < 0 ? error_set(e, r, "cannot serve %s: %s", s->path, error_string(r)) : 0;
}

static void server_init(struct server *s, struct control *k, const char *name, bool changes)
{
	s->control = k;
	s->changes = changes;
	s->fd = -1;
	s->path = xasprintf("%s/%s", k->options.run_dir, name);
	s->directory = xstrdup(s->path);
	*strrchr(s->directory, '/') = '\0';
}

static void server_done(struct server *s)
{
	if (server_is_there(s)) /* else it is another daemon's */
		(void)unlink(s->path);
	server_stop(s);
	free(s->path);
	free(s->directory);
}

/* --- connections ------------------------------------------------------------------ */

static void on_gone(void *arg, struct connection *c)
{
	struct control *k = arg;

	for (size_t i = 0; i < k->count; i++)
		if (k->connections[i] == c) {
			k->connections[i] = k->connections[--k->count];
			break;
		}
	connection_free(c);
}

static size_t count_of(const struct server *s, uid_t uid, bool any)
{
	size_t n = 0;

	for (size_t i = 0; i < s->control->count; i++) {
		const struct connection *c = s->control->connections[i];

		n += connection_is_control(c) == s->changes &&
				     (any || connection_peer(c)->uid == uid) ?
			     1 :
			     0;
	}
	return n;
}

static bool has_room(const struct server *s, uid_t uid)
{
	size_t all = count_of(s, 0, true);

	if (uid == 0)
		return all < CONTROL_CONNECTIONS;
	return all < CONTROL_CONNECTIONS - CONTROL_CONNECTIONS_RESERVED &&
	       count_of(s, uid, false) < CONTROL_CONNECTIONS_PER_UID;
}

static size_t queued(const struct control *k)
{
	size_t n = 0;

	for (size_t i = 0; i < k->count; i++)
		n += connection_queued(k->connections[i]);
	return n;
}

static void on_message(void *arg, struct connection *c, const json_t *message)
{
	const struct control *k = arg;

	if (queued(k) < CONTROL_QUEUE_BYTES) {
		k->options.message(k->options.arg, c, message);
		return;
	}
	connection_error(c, VARLINK_INTERFACE ".Busy", NULL);
	connection_finish(c);
}

static void on_resume(void *arg, struct connection *c, bool timed_out)
{
	const struct control *k = arg;

	k->options.resume(k->options.arg, c, timed_out);
}

static void refuse(int fd)
{
	json_t *message = varlink_error_new(VARLINK_INTERFACE ".TooManyConnections", NULL);
	cleanup(freep) char *text = NULL;
	size_t size;

	text = varlink_encode(message, &size);
	json_decref(message);
	(void)send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void serve(struct server *s, int fd)
{
	struct control *k = s->control;
	const struct connection_options o = {
		.event = k->options.event,
		.control = s->changes,
		.message = on_message,
		.resume = on_resume,
		.gone = on_gone,
		.arg = k,
	};
	struct peer peer = PEER_NONE;
	struct connection *c;
	struct error e = { 0 };

	if (peer_read(fd, s->changes, &peer, &e) < 0 || !has_room(s, peer.uid)) {
		if (!e.code)
			refuse(fd);
		peer_done(&peer);
		(void)close(fd);
		return;
	}
	if (connection_new(&o, fd, &peer, &c, &e) < 0) {
		log_warning("%s: %s", s->path, e.text);
		return;
	}
	k->connections = xrealloc(k->connections, (k->count + 1) * sizeof(*k->connections));
	k->connections[k->count++] = c;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct server *s = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (client >= 0)
		serve(s, client);
	if (client >= 0 || errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return 0;
	/* No descriptor left, say: asking again at once would spin, so the next pass opens the door. */
	log_warning("%s: cannot accept a connection: %s", s->path, error_string(errno));
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

/* What is in its place is no reason not to do the work: control_restore() tries again after each pass. */
static void server_open(struct server *s)
{
	struct error e = { 0 };

	if (server_start(s, &e) == 0)
		return;
	server_stop(s);
	s->broken = true;
	log_error("%s: %s; nobody can ask or steer the daemon there until that is out of the way",
		  s->path, e.text);
}

void control_new(const struct control_options *o, struct control **ret)
{
	struct control *k = xnew(struct control);

	k->options = *o;
	k->gid = (gid_t)-1;
	server_init(&k->status, k, STATUS_SOCKET, false);
	server_init(&k->changes, k, CONTROL_SOCKET, true);
	server_open(&k->status);
	server_open(&k->changes);
	*ret = k;
}

void control_free(struct control *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->count; i++)
		connection_free(k->connections[i]);
	free(k->connections);
	server_done(&k->status);
	server_done(&k->changes);
	free(k->group);
	free(k);
}

/* --- sockets that vanish -------------------------------------------------------------- */

/* Connections that were made before stay as they are. */
static bool server_restore(struct server *s)
{
	struct error e = { 0 };

	if (server_is_there(s))
		return false;
	server_stop(s);
	if (server_start(s, &e) < 0) {
		server_stop(s);
		if (!s->broken)
			log_warning("%s is gone and cannot be made again: %s", s->path, e.text);
		s->broken = true;
		return false;
	}
	log_notice("%s was gone and is made again", s->path);
	s->broken = false;
	return true;
}

bool control_restore(struct control *k)
{
	bool status = server_restore(&k->status), changes = server_restore(&k->changes);

	return status || changes;
}

/* --- the control group -------------------------------------------------------------- */

static gid_t group_find(const char *name)
{
	char buffer[4096];
	struct group group, *found = NULL;
	uint32_t id;

	if (num_parse_u32(name, UINT32_MAX - 1, &id) == 0)
		return (gid_t)id;
	(void)getgrnam_r(name, &group, buffer, sizeof(buffer), &found);
	return found ? found->gr_gid : (gid_t)-1;
}

static void apply_group(struct control *k)
{
	cleanup(closep) int dir = -1;
	struct error e = { 0 };

	if (protect_directory(&k->changes, &dir, &e) < 0 ||
	    protect_socket(&k->changes, k->changes.path, &e) < 0)
		log_warning("control socket: %s", e.text);
}

void control_set_group(struct control *k, const char *group)
{
	gid_t gid = group ? group_find(group) : (gid_t)-1;
	bool unknown = group && gid == (gid_t)-1;

	if (unknown && (!k->unknown || !str_eq(k->group, group)))
		log_info("control group %s does not exist: only root may change things", group);
	k->unknown = unknown;
	if (!str_eq(k->group, group)) {
		free(k->group);
		k->group = group ? xstrdup(group) : NULL;
	}
	if (gid == k->gid)
		return;
	k->gid = gid;
	apply_group(k);
}

gid_t control_group(const struct control *k)
{
	return k->gid;
}

void control_resume(struct control *k)
{
	(void)sd_event_source_set_enabled(k->status.source, SD_EVENT_ON);
	(void)sd_event_source_set_enabled(k->changes.source, SD_EVENT_ON);
	/* Backwards, because one that goes away is replaced by the last. */
	for (size_t i = k->count; i-- > 0;) {
		struct connection *c = k->connections[i];

		if (connection_pending(c)->kind == PENDING_NONE)
			continue;
		k->options.resume(k->options.arg, c, false);
		connection_continue(c);
	}
}
