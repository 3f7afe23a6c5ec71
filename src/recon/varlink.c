/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon/varlink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/str.h"

/* --- framing -------------------------------------------------------------- */

void varlink_reader_init(struct varlink_reader *r, size_t max)
{
	*r = (struct varlink_reader){ .max = max };
}

void varlink_reader_done(struct varlink_reader *r)
{
	free(r->data);
	*r = (struct varlink_reader){ 0 };
}

void varlink_reader_add(struct varlink_reader *r, const void *data, size_t n)
{
	if (r->cap - r->len < n) {
		r->cap = MAX(r->cap * 2, r->len + n);
		r->data = xrealloc(r->data, r->cap);
	}
	if (n)
		memcpy(r->data + r->len, data, n);
	r->len += n;
}

/* Drops the first n bytes; a buffer that a large message blew up is not kept. */
static void consume(struct varlink_reader *r, size_t n)
{
	r->len -= n;
	r->searched = 0;
	if (r->len) {
		memmove(r->data, r->data + n, r->len);
	} else if (r->cap > VARLINK_REQUEST_MAX) {
		free(take_ptr(r->data));
		r->cap = 0;
	}
}

int varlink_reader_take(struct varlink_reader *r, json_t **ret, struct error *e)
{
	const char *end = NULL;
	json_error_t why;
	json_t *message;
	size_t n;

	if (r->len > r->searched)
		end = memchr(r->data + r->searched, '\0', r->len - r->searched);
	n = end ? (size_t)(end - r->data) : r->len;
	if (n > r->max)
		return error_set(e, -EMSGSIZE, "a message is longer than %zu bytes", r->max);
	if (!end) {
		r->searched = r->len;
		return 0;
	}
	message = json_loadb(r->data, n, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(message)) {
		json_decref(message);
		return error_set(e, -EBADMSG, "a message is no JSON object: %s",
				 message ? "it is something else" : why.text);
	}
	consume(r, n + 1);
	*ret = message;
	return 1;
}

char *varlink_encode(const json_t *message, size_t *ret_size)
{
	char *text = json_dumps(message, JSON_COMPACT);

	if (!text) /* messages are objects of valid strings; only memory can be missing */
		abort();
	*ret_size = strlen(text) + 1;
	return text;
}

/* --- messages ------------------------------------------------------------- */

static int flag_parse(const json_t *message, const char *key, bool *ret, struct error *e)
{
	const json_t *v = json_object_get(message, key);

	if (v && !json_is_boolean(v))
		return error_set(e, -EINVAL, "\"%s\" of a call is not true or false", key);
	*ret = json_is_true(v);
	return 0;
}

int varlink_call_parse(const json_t *message, struct varlink_call *ret, struct error *e)
{
	const json_t *method = json_object_get(message, "method");
	const json_t *parameters = json_object_get(message, "parameters");
	int r;

	*ret = (struct varlink_call){ 0 };
	if (!json_is_string(method))
		return error_set(e, -EINVAL, "a call has no \"method\"");
	if (parameters && !json_is_object(parameters) && !json_is_null(parameters))
		return error_set(e, -EINVAL, "\"parameters\" of a call is no object");
	r = flag_parse(message, "more", &ret->more, e);
	if (r == 0)
		r = flag_parse(message, "oneway", &ret->oneway, e);
	if (r < 0)
		return r;
	ret->method = json_string_value(method);
	ret->parameters = json_is_object(parameters) ? parameters : NULL;
	return 0;
}

json_t *varlink_reply_new(json_t *parameters, bool continues)
{
	json_t *message = json_object();

	(void)json_object_set_new(message, "parameters", parameters ? parameters : json_object());
	if (continues)
		(void)json_object_set_new(message, "continues", json_true());
	return message;
}

json_t *varlink_error_new(const char *name, json_t *parameters)
{
	json_t *message = json_object();

	(void)json_object_set_new(message, "error", json_string(name));
	(void)json_object_set_new(message, "parameters", parameters ? parameters : json_object());
	return message;
}

int varlink_address(const char *path, struct sockaddr_un *ret, int *ret_dir, struct error *e)
{
	cleanup(freep) char *dir = xstrdup(path);
	cleanup(closep) int fd = -1;
	char *slash = strrchr(dir, '/');
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*ret_dir = -1;
	if (strlen(path) < sizeof(ret->sun_path)) {
		(void)strcpy(ret->sun_path, path);
		return 0;
	}
	if (!slash)
		return error_set(e, -ENAMETOOLONG, "%s: name too long for a socket", path);
	*slash = '\0';
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(e, -errno, "cannot open %s: %s", dir, error_string(errno));
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", fd, slash + 1);
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path))
		return error_set(e, -ENAMETOOLONG, "%s: name too long for a socket", path);
	*ret_dir = take_fd(fd);
	return 0;
}

/* --- client --------------------------------------------------------------- */

struct varlink_client {
	int fd;
	struct varlink_reader reader;
};

int varlink_client_open(const char *path, struct varlink_client **ret, struct error *e)
{
	cleanup(closep) int fd = -1;
	cleanup(closep) int dir = -1;
	struct sockaddr_un address;
	int r = varlink_address(path, &address, &dir, e);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(e, -errno, "cannot make a socket: %s", error_string(errno));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(e, -errno, "cannot connect to %s: %s", path, error_string(errno));
	*ret = xnew(struct varlink_client);
	(*ret)->fd = take_fd(fd);
	varlink_reader_init(&(*ret)->reader, VARLINK_REPLY_MAX);
	return 0;
}

void varlink_client_free(struct varlink_client *c)
{
	if (!c)
		return;
	(void)close(c->fd);
	varlink_reader_done(&c->reader);
	free(c);
}

int varlink_client_call(struct varlink_client *c, const char *method, json_t *parameters, bool more,
			struct error *e)
{
	cleanup(freep) char *text = NULL;
	json_t *message = json_object();
	size_t size, done = 0;

	(void)json_object_set_new(message, "method", json_string(method));
	(void)json_object_set_new(message, "parameters", parameters ? parameters : json_object());
	if (more)
		(void)json_object_set_new(message, "more", json_true());
	text = varlink_encode(message, &size);
	json_decref(message);
	while (done < size) {
		ssize_t n = send(c->fd, text + done, size - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return error_set(e, -errno, "cannot ask the daemon: %s",
					 error_string(errno));
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Milliseconds for poll(); -1 without a deadline. */
static int time_left(int64_t deadline)
{
	int64_t left = deadline - now_ms();

	if (deadline < 0)
		return -1;
	return left < 0 ? 0 : (int)MIN(left, (int64_t)INT_MAX);
}

/* Waits for bytes until the deadline (-1: none) and adds them to the reader. */
static int client_fill(struct varlink_client *c, int64_t deadline, struct error *e)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	char chunk[16384];
	ssize_t n;
	int r;

	do {
		r = poll(&p, 1, time_left(deadline));
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return error_set(e, -ETIMEDOUT, "the daemon did not answer in time");
	n = r < 0 ? -1 : recv(c->fd, chunk, sizeof(chunk), 0);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return error_set(e, -errno, "cannot hear the daemon: %s", error_string(errno));
	if (n == 0)
		return error_set(e, -ECONNRESET, "the daemon closed the connection");
	varlink_reader_add(&c->reader, chunk, (size_t)n);
	return 0;
}

int varlink_client_receive(struct varlink_client *c, int timeout_ms, struct varlink_answer *ret,
			   struct error *e)
{
	int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	json_t *message = NULL, *parameters;
	const char *name;
	int r;

	while ((r = varlink_reader_take(&c->reader, &message, e)) == 0) {
		r = client_fill(c, deadline, e);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return error_prefix(e, r, "answer of the daemon");
	*ret = (struct varlink_answer){ 0 };
	parameters = json_object_get(message, "parameters");
	ret->parameters = json_is_object(parameters) ? json_incref(parameters) : json_object();
	ret->continues = json_is_true(json_object_get(message, "continues"));
	name = json_string_value(json_object_get(message, "error"));
	(void)snprintf(ret->error, sizeof(ret->error), "%s", name ? name : "");
	json_decref(message);
	return 0;
}

void varlink_answer_done(struct varlink_answer *a)
{
	json_decref(a->parameters);
	*a = (struct varlink_answer){ 0 };
}
