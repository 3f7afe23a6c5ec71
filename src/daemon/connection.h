/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One client of a control socket. Requests are answered one after the other: the
 * next is read only when the answer to the last has been taken, so a client that does not read
 * costs one answer of memory and, after a minute, its connection.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "daemon/peer.h"
#include "recon/varlink.h"

struct connection;
struct control;

/* An answer that is still to come. */
enum pending_kind {
	PENDING_NONE,
	PENDING_PASS,      /* when the next pass is over */
	PENDING_CONVERGED, /* Wait */
	PENDING_EVENTS,    /* GetEvents that follows */
};

struct pending {
	enum pending_kind kind;
	uint64_t run;  /* PASS: the number of that pass, completed or not; see manager_runs() */
	uint64_t pass; /* CONVERGED: a completed pass with at least this number */
	bool ready;    /* CONVERGED: nothing waiting or skipped either */
	char generation[65]; /* CONVERGED: with this generation; "": any */
	uint64_t sequence;   /* EVENTS: of the last event sent */
	json_t *parameters;  /* PASS: of the reply, completed when it is sent */
};

struct connection_options {
	sd_event *event;
	bool control; /* the control socket, where changes may be asked for */
	/* A message arrived; answers with the calls below, at once or by way of pending. */
	void (*message)(void *arg, struct connection *c, const json_t *message);
	/* Something may have become possible: events can be sent, the time of a Wait is up. */
	void (*resume)(void *arg, struct connection *c, bool timed_out);
	void (*gone)(void *arg, struct connection *c); /* free it now */
	void *arg;
};

/* Takes fd and the peer over, also on failure. */
int connection_new(const struct connection_options *o, int fd, struct peer *peer,
		   struct connection **ret, struct error *e);
void connection_free(struct connection *c);

const struct peer *connection_peer(const struct connection *c);
int connection_fd(const struct connection *c);
bool connection_is_control(const struct connection *c);
size_t connection_queued(const struct connection *c); /* bytes not yet taken by the client */

/* These steal parameters, which may be NULL. A call that was sent oneway gets no answer. */
void connection_reply(struct connection *c, json_t *parameters, bool continues);
void connection_error(struct connection *c, const char *name, json_t *parameters);
/* A reply as of varlink_encode(), made before. */
void connection_reply_text(struct connection *c, const char *text, size_t size);
void connection_set_oneway(struct connection *c, bool oneway);

/* Sends what is queued and hangs up. */
void connection_finish(struct connection *c);

/* Postpones the answer; timeout_us 0: as long as it takes. Takes over p->parameters. */
void connection_set_pending(struct connection *c, const struct pending *p, uint64_t timeout_us);
struct pending *connection_pending(struct connection *c);
void connection_clear_pending(struct connection *c);

/* After calls from outside a callback: goes on with what came in meanwhile; may end in gone(). */
void connection_continue(struct connection *c);
