/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Varlink over a UNIX stream socket, both sides of it: a message is one JSON object and a
 * NUL byte. The reader takes bytes from strangers, so what it holds is bounded.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

#define VARLINK_REQUEST_MAX (64 * 1024)        /* bytes of one request */
#define VARLINK_REPLY_MAX   (64 * 1024 * 1024) /* bytes of one reply that the client takes */

#define VARLINK_INTERFACE "io.bpfshare"

/* --- framing -------------------------------------------------------------- */

/* Turns received bytes into messages. */
struct varlink_reader {
	char *data;
	size_t len, cap;
	size_t searched; /* bytes known to hold no NUL */
	size_t max;      /* bytes of one message */
};

void varlink_reader_init(struct varlink_reader *r, size_t max);
void varlink_reader_done(struct varlink_reader *r);
/* Adds bytes; the caller takes all messages before it adds more. */
void varlink_reader_add(struct varlink_reader *r, const void *data, size_t n);
/*
 * Takes one message: 1 and a new reference in *ret, 0 when there is none yet. After
 * -EBADMSG (no JSON object) or -EMSGSIZE (too long) nothing more can be taken.
 */
int varlink_reader_take(struct varlink_reader *r, json_t **ret, struct error *e);

/* The message as bytes on the wire, with the final NUL; free() it. */
char *varlink_encode(const json_t *message, size_t *ret_size);

/* --- messages ------------------------------------------------------------- */

struct varlink_call {
	const char *method;       /* borrowed from the message, like parameters */
	const json_t *parameters; /* NULL: none were sent */
	bool more, oneway;
};

int varlink_call_parse(const json_t *message, struct varlink_call *ret, struct error *e);
/* These steal parameters, which may be NULL; the result is a new reference. */
json_t *varlink_reply_new(json_t *parameters, bool continues);
json_t *varlink_error_new(const char *name, json_t *parameters);

/*
 * The address of a socket at this path. Paths too long for an address go by way of a
 * descriptor of their directory, which must then stay open in *ret_dir (else -1).
 */
int varlink_address(const char *path, struct sockaddr_un *ret, int *ret_dir, struct error *e);

/* --- client --------------------------------------------------------------- */

struct varlink_client;

struct varlink_answer {
	json_t *parameters; /* always an object */
	bool continues;
	char error[128]; /* name of the error, "" for a reply */
};

/* -ENOENT or -ECONNREFUSED: nobody listens; -EACCES: not for this user. */
int varlink_client_open(const char *path, struct varlink_client **ret, struct error *e);
void varlink_client_free(struct varlink_client *c);

static inline void varlink_client_freep(struct varlink_client **c)
{
	varlink_client_free(*c);
}

/* Steals parameters, which may be NULL. */
int varlink_client_call(struct varlink_client *c, const char *method, json_t *parameters, bool more,
			struct error *e);
/* Waits at most timeout_ms (-1: for ever), then -ETIMEDOUT; -ECONNRESET: the server hung up. */
int varlink_client_receive(struct varlink_client *c, int timeout_ms, struct varlink_answer *ret,
			   struct error *e);
void varlink_answer_done(struct varlink_answer *a);
