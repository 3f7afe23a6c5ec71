/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/connection.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/str.h"

#define IDLE_US     (60ull * 1000 * 1000)
#define ACCURACY_US (10ull * 1000)

struct connection {
	struct connection_options options;
	int fd;
	struct peer peer;
	sd_event_source *io, *idle, *timeout;
	struct varlink_reader in;
	struct strbuf out;
	size_t out_done;
	struct pending pending;
	bool oneway;
	bool eof;       /* the client sends no more, but may still read */
	bool finishing; /* hang up when all is sent */
	bool dead;      /* nothing can be sent or received any more */
};

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg);
static int on_idle(sd_event_source *source, uint64_t usec, void *arg);
static int on_timeout(sd_event_source *source, uint64_t usec, void *arg);

int connection_new(const struct connection_options *o, int fd, struct peer *peer,
		   struct connection **ret, struct error *e)
{
	struct connection *c = xnew(struct connection);
	int r;

	c->options = *o;
	c->fd = fd;
	c->peer = *peer;
	*peer = (struct peer)PEER_NONE;
	varlink_reader_init(&c->in, VARLINK_REQUEST_MAX);
	r = sd_event_add_io(o->event, &c->io, fd, EPOLLIN, on_io, c);
	if (r >= 0)
		r = sd_event_add_time_relative(o->event, &c->idle, CLOCK_MONOTONIC, IDLE_US,
					       ACCURACY_US, on_idle, c);
	if (r >= 0)
		r = sd_event_add_time(o->event, &c->timeout, CLOCK_MONOTONIC, 0, ACCURACY_US,
				      on_timeout, c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->timeout, SD_EVENT_OFF);
	if (r < 0) {
		connection_free(c);
		return error_set(e, r, "cannot serve a connection: %s", error_string(r));
	}
	*ret = c;
	return 0;
}

void connection_free(struct connection *c)
{
	if (!c)
		return;
	(void)sd_event_source_disable_unref(c->io);
	(void)sd_event_source_disable_unref(c->idle);
	(void)sd_event_source_disable_unref(c->timeout);
	json_decref(c->pending.parameters);
	varlink_reader_done(&c->in);
	strbuf_done(&c->out);
	peer_done(&c->peer);
	(void)close(c->fd);
	free(c);
}

const struct peer *connection_peer(const struct connection *c)
{
	return &c->peer;
}

int connection_fd(const struct connection *c)
{
	return c->fd;
}

bool connection_is_control(const struct connection *c)
{
	return c->options.control;
}

size_t connection_queued(const struct connection *c)
{
	return c->out.len - c->out_done;
}

/* --- sending ---------------------------------------------------------------- */

static void flush(struct connection *c)
{
	while (!c->dead && connection_queued(c)) {
		ssize_t n = send(c->fd, c->out.s + c->out_done, connection_queued(c),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			c->dead = true;
		c->out_done += n > 0 ? (size_t)n : 0;
	}
	strbuf_done(&c->out);
	c->out_done = 0;
}

static void queue(struct connection *c, json_t *message)
{
	cleanup(freep) char *text = NULL;
	size_t size;

	if (!c->oneway && !c->dead) {
		text = varlink_encode(message, &size);
		strbuf_addn(&c->out, text, size);
	}
	json_decref(message);
}

void connection_reply(struct connection *c, json_t *parameters, bool continues)
{
	queue(c, varlink_reply_new(parameters, continues));
}

void connection_reply_text(struct connection *c, const char *text, size_t size)
{
	if (!c->oneway && !c->dead)
		strbuf_addn(&c->out, text, size);
}

void connection_error(struct connection *c, const char *name, json_t *parameters)
{
	queue(c, varlink_error_new(name, parameters));
}

void connection_set_oneway(struct connection *c, bool oneway)
{
	c->oneway = oneway;
}

void connection_finish(struct connection *c)
{
	c->finishing = true;
}

/* --- answers to come ---------------------------------------------------------- */

void connection_set_pending(struct connection *c, const struct pending *p, uint64_t timeout_us)
{
	connection_clear_pending(c);
	c->pending = *p;
	if (!timeout_us)
		return;
	(void)sd_event_source_set_time_relative(c->timeout, timeout_us);
	(void)sd_event_source_set_enabled(c->timeout, SD_EVENT_ONESHOT);
}

struct pending *connection_pending(struct connection *c)
{
	return &c->pending;
}

void connection_clear_pending(struct connection *c)
{
	json_decref(c->pending.parameters);
	c->pending = (struct pending){ 0 };
	(void)sd_event_source_set_enabled(c->timeout, SD_EVENT_OFF);
}

/* --- the loop ----------------------------------------------------------------- */

static bool may_take(const struct connection *c)
{
	return !c->dead && !c->finishing && !c->pending.kind && !connection_queued(c);
}

static void take_messages(struct connection *c)
{
	struct error e = { 0 };

	while (may_take(c)) {
		json_t *message = NULL;
		int r = varlink_reader_take(&c->in, &message, &e);

		if (r == 0)
			break;
		c->oneway = false;
		if (r < 0) {
			connection_error(c, VARLINK_INTERFACE ".BadMessage",
					 json_pack("{s:s?}", "message", e.text));
			connection_finish(c);
		} else {
			c->options.message(c->options.arg, c, message);
			json_decref(message);
		}
		flush(c);
	}
	if (c->eof && may_take(c))
		c->dead = true; /* what is left in the reader is no whole message */
}

/* A client that waits for us is not idle; one that we wait for is. */
static void update(struct connection *c)
{
	bool waiting = c->pending.kind && !connection_queued(c);
	uint32_t events = 0;

	if (c->dead || (c->finishing && !connection_queued(c))) {
		c->options.gone(c->options.arg, c);
		return;
	}
	if (connection_queued(c))
		events |= EPOLLOUT;
	else if (!c->eof && !c->pending.kind)
		events |= EPOLLIN;
	(void)sd_event_source_set_io_events(c->io, events);
	(void)sd_event_source_set_time_relative(c->idle, IDLE_US);
	(void)sd_event_source_set_enabled(c->idle, waiting ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

void connection_continue(struct connection *c)
{
	flush(c);
	take_messages(c);
	update(c);
}

static void receive(struct connection *c)
{
	char chunk[4096];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n > 0)
		varlink_reader_add(&c->in, chunk, (size_t)n);
	else if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->dead = true;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct connection *c = arg;

	(void)source;
	(void)fd;
	if (events & EPOLLIN)
		receive(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		c->dead = true;
	if (events & EPOLLOUT) {
		flush(c);
		if (c->pending.kind == PENDING_EVENTS && !connection_queued(c))
			c->options.resume(c->options.arg, c, false);
	}
	connection_continue(c);
	return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *arg)
{
	struct connection *c = arg;

	(void)source;
	(void)usec;
	c->dead = true;
	connection_continue(c);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *arg)
{
	struct connection *c = arg;

	(void)source;
	(void)usec;
	c->options.resume(c->options.arg, c, true);
	connection_continue(c);
	return 0;
}
