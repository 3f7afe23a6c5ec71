/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/methods.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/methods_interface.h"
#include "recon/report.h"

#define SERVICE "org.varlink.service"

#define WAIT_DEFAULT_S 60
#define WAIT_MOST_S    86400
#define SUSPEND_MOST_S (10ull * 365 * 86400)
#define NAMES_MAX      4096

/* One call on its way to its method. */
struct request {
	struct manager *manager;
	struct connection *connection;
	struct varlink_call call;
};

/* --- parameters -------------------------------------------------------------- */

static bool invalid(const struct request *q, const char *parameter)
{
	connection_error(q->connection, SERVICE ".InvalidParameter",
			 json_pack("{s:s}", "parameter", parameter));
	return false;
}

/* The parameter, NULL if absent or null. */
static const json_t *parameter(const struct request *q, const char *name)
{
	const json_t *v = json_object_get(q->call.parameters, name);

	return json_is_null(v) ? NULL : v;
}

static bool take_number(const struct request *q, const char *name, double most, double *ret)
{
	const json_t *v = parameter(q, name);

	if (!v)
		return true;
	if (!json_is_number(v) || !(json_number_value(v) >= 0) || json_number_value(v) > most)
		return invalid(q, name);
	*ret = json_number_value(v);
	return true;
}

static bool take_bool(const struct request *q, const char *name, bool *ret)
{
	const json_t *v = parameter(q, name);

	if (v && !json_is_boolean(v))
		return invalid(q, name);
	*ret = json_is_true(v);
	return true;
}

static bool take_string(const struct request *q, const char *name, const char **ret)
{
	const json_t *v = parameter(q, name);

	if (v && !json_is_string(v))
		return invalid(q, name);
	*ret = json_string_value(v);
	return true;
}

/* --- what is said of the last pass ---------------------------------------------- */

static json_t *summary(const struct manager *m)
{
	const struct recon *r = manager_recon(m);
	const struct status *s = recon_status(r);

	return json_pack("{s:s?,s:b}", "generation", s ? s->generation : NULL, "converged",
			 s && s->converged && !recon_trouble(r));
}

/* A confirmation that the pass had no use for: what it would have held was something else. */
static bool is_outdated(const struct manager *m, const json_t *parameters)
{
	return json_integer_value(json_object_get(parameters, "confirmed")) > 0 &&
	       !recon_confirmed(manager_recon(m));
}

static void answer_pass(struct manager *m, struct connection *c)
{
	const char *trouble = recon_trouble(manager_recon(m));
	json_t *parameters = summary(m);

	if (!trouble && is_outdated(m, connection_pending(c)->parameters)) {
		json_decref(parameters);
		connection_error(c, VARLINK_INTERFACE ".NotConfirmed",
				 json_pack("{s:s}", "message",
					   "what waits has changed in the meantime, so nothing was "
					   "confirmed; see what it is with `bpfsharectl status`"));
	} else if (trouble) {
		json_decref(parameters);
		connection_error(c, VARLINK_INTERFACE ".Failed",
				 json_pack("{s:s?}", "message", trouble));
	} else {
		(void)json_object_update(parameters, connection_pending(c)->parameters);
		connection_reply(c, parameters, false);
	}
	connection_clear_pending(c);
}

static void wait_for_pass(const struct request *q, json_t *parameters)
{
	const struct pending p = { .kind = PENDING_PASS,
				   .run = manager_runs(q->manager) + 1,
				   .parameters = parameters };

	connection_set_pending(q->connection, &p, 0);
}

/* --- reading ------------------------------------------------------------------- */

/* Who answers, what was repaired, and why the last pass could not look; NULL if it could. */
static void add_daemon(json_t *status, const struct recon *r)
{
	const char *trouble = recon_trouble(r), *warning = recon_warning(r), *reason;
	json_t *repairs = json_object();
	uint64_t count;

	for (size_t i = 0; recon_repairs(r, i, &reason, &count); i++)
		(void)json_object_set_new(repairs, reason, json_integer((json_int_t)count));
	(void)json_object_set_new(status, "daemon",
				  json_pack("{s:s,s:i,s:o}", "version", PACKAGE_VERSION, "pid",
					    (int)getpid(), "repairs", repairs));
	(void)json_object_set_new(status, "trouble", trouble ? json_string(trouble) : json_null());
	(void)json_object_set_new(status, "warning", warning ? json_string(warning) : json_null());
}

/* Names for report_status(), borrowed from the parameters; the list is the caller's. */
static bool take_names(const struct request *q, const char ***ret, size_t *ret_count)
{
	const json_t *names = parameter(q, "names");
	size_t n = json_array_size(names);

	if ((names && !json_is_array(names)) || n > NAMES_MAX)
		return invalid(q, "names");
	for (size_t i = 0; i < n; i++)
		if (!json_is_string(json_array_get(names, i)))
			return invalid(q, "names");
	*ret = xcalloc(n, sizeof(**ret));
	for (size_t i = 0; i < n; i++)
		(*ret)[i] = json_string_value(json_array_get(names, i));
	*ret_count = n;
	return true;
}

static json_t *status_reply(const struct request *q, const struct fresh_request *want)
{
	const struct recon *r = manager_recon(q->manager);
	json_t *status = report_status(recon_status(r), want->names, want->n);

	if (want->runs || want->entries)
		fresh_fill(manager_fresh(q->manager), want, status);
	add_daemon(status, r);
	return json_pack("{s:o}", "status", status);
}

/* All of it, as the last pass left it. */
static void reply_common_status(const struct request *q, const struct fresh_request *want)
{
	struct manager_answer *a = manager_status_answer(q->manager);
	json_t *message;

	if (!a->text) {
		message = varlink_reply_new(status_reply(q, want), false);
		a->text = varlink_encode(message, &a->size);
		json_decref(message);
	}
	connection_reply_text(q->connection, a->text, a->size);
}

static void get_status(const struct request *q)
{
	struct fresh_request want = { .root = connection_peer(q->connection)->uid == 0 };
	cleanup(freep) const char **names = NULL;

	if (!take_names(q, &names, &want.n) || !take_bool(q, "fresh", &want.runs) ||
	    !take_bool(q, "entries", &want.entries))
		return;
	want.names = names;
	if (!recon_status(manager_recon(q->manager)))
		connection_error(q->connection, VARLINK_INTERFACE ".NotReady",
				 json_pack("{s:s?}", "message",
					   recon_trouble(manager_recon(q->manager))));
	else if (!want.n && !want.runs && !want.entries)
		reply_common_status(q, &want);
	else
		connection_reply(q->connection, status_reply(q, &want), false);
}

static void get_plan(const struct request *q)
{
	const struct plan *p = recon_plan(manager_recon(q->manager));

	if (p)
		connection_reply(q->connection, json_pack("{s:o}", "plan", report_plan(p)), false);
	else
		connection_error(q->connection, VARLINK_INTERFACE ".NotReady", NULL);
}

static void get_features(const struct request *q)
{
	size_t n;
	const struct feature *f = kern_linux_features(manager_kernel(q->manager), &n);

	connection_reply(q->connection, json_pack("{s:o}", "features", report_features(f, n)),
			 false);
}

/* All events after *sequence, which moves on to the last one. */
static json_t *events_after(const struct manager *m, uint64_t *sequence)
{
	json_t *list = json_array();
	const struct recon_event *e;

	while ((e = recon_event_next(manager_recon(m), *sequence))) {
		(void)json_array_append_new(list, report_event(e));
		*sequence = e->sequence;
	}
	return list;
}

static void get_events(const struct request *q)
{
	struct pending p = { .kind = PENDING_EVENTS };
	double after = 0;
	bool follow;
	json_t *events;

	if (!take_number(q, "after", 9e15, &after) || !take_bool(q, "follow", &follow))
		return;
	if (follow && !q->call.more) {
		connection_error(q->connection, SERVICE ".ExpectedMore", NULL);
		return;
	}
	p.sequence = (uint64_t)after;
	events = events_after(q->manager, &p.sequence);
	connection_reply(q->connection, json_pack("{s:o}", "events", events), follow);
	if (follow)
		connection_set_pending(q->connection, &p, 0);
}

static void resume_events(struct manager *m, struct connection *c)
{
	json_t *events;

	if (connection_queued(c))
		return; /* it is called again when the client has taken these */
	events = events_after(m, &connection_pending(c)->sequence);
	if (json_array_size(events))
		connection_reply(c, json_pack("{s:o}", "events", events), true);
	else
		json_decref(events);
}

/* --- waiting ------------------------------------------------------------------- */

static void wait_for(const struct request *q)
{
	struct pending p = { .kind = PENDING_CONVERGED };
	double timeout_s = WAIT_DEFAULT_S;
	const char *generation;

	if (!take_number(q, "timeout_s", WAIT_MOST_S, &timeout_s) ||
	    !take_string(q, "generation", &generation) || !take_bool(q, "ready", &p.ready))
		return;
	if (generation && strlen(generation) >= sizeof(p.generation)) {
		(void)invalid(q, "generation");
		return;
	}
	if (generation)
		(void)strcpy(p.generation, generation);
	p.pass = recon_passes(manager_recon(q->manager)) + 1;
	connection_set_pending(q->connection, &p, (uint64_t)(timeout_s * 1e6) + 1);
	/* Anybody may ask for this, so it waits its turn like any other event. */
	manager_request(q->manager, RECON_DIRTY_FILES | RECON_DIRTY_KERNEL);
}

/* A generation may be given by its beginning, as people copy it. */
static bool is_reached(const struct manager *m, const struct pending *p)
{
	const struct recon *r = manager_recon(m);
	const struct status *s = recon_status(r);

	return s && s->generation && recon_passes(r) >= p->pass && s->converged &&
	       !recon_trouble(r) && str_starts(s->generation, p->generation) &&
	       (!p->ready || (!s->summary[STATE_WAITING] && !s->summary[STATE_SKIPPED]));
}

static void resume_wait(struct manager *m, struct connection *c, bool timed_out)
{
	json_t *parameters;

	if (is_reached(m, connection_pending(c))) {
		connection_reply(c, summary(m), false);
		connection_clear_pending(c);
	} else if (timed_out) {
		parameters = summary(m);
		(void)json_object_set_new(parameters, "message",
					  json_string(recon_trouble(manager_recon(m))));
		connection_error(c, VARLINK_INTERFACE ".TimedOut", parameters);
		connection_clear_pending(c);
	}
}

/* --- changing ------------------------------------------------------------------ */

static void reload(const struct request *q)
{
	manager_reload(q->manager);
	wait_for_pass(q, NULL);
}

static void confirm(const struct request *q)
{
	const char *token = NULL;
	struct error e = { 0 };
	json_t *parameters;
	size_t held = 0;
	int r;

	if (!take_string(q, "token", &token))
		return;
	r = manager_confirm(q->manager, token, &held, &e);
	if (r == 0) {
		wait_for_pass(q, json_pack("{s:I}", "confirmed", (json_int_t)held));
	} else if (r == -ENOENT && !token) {
		parameters = summary(q->manager);
		(void)json_object_set_new(parameters, "confirmed", json_integer(0));
		connection_reply(q->connection, parameters, false);
	} else {
		connection_error(q->connection, VARLINK_INTERFACE ".NotConfirmed",
				 json_pack("{s:s}", "message", e.text));
	}
}

static void suspend(const struct request *q)
{
	struct error e = { 0 };
	double seconds = 0;

	if (!take_number(q, "seconds", SUSPEND_MOST_S, &seconds))
		return;
	(void)manager_suspend(q->manager, (uint64_t)seconds, &e);
	wait_for_pass(q, e.code ? json_pack("{s:s?}", "warning", e.text) : NULL);
}

static void resume(const struct request *q)
{
	manager_resume(q->manager);
	wait_for_pass(q, NULL);
}

static void purge(const struct request *q)
{
	manager_purge(q->manager);
	wait_for_pass(q, NULL);
}

/* --- org.varlink.service ---------------------------------------------------------- */

static void get_info(const struct request *q)
{
	connection_reply(q->connection,
			 json_pack("{s:s,s:s,s:s,s:s,s:[ss]}", "vendor", "bpfshare", "product",
				   "bpfshared", "version", PACKAGE_VERSION, "url", "", "interfaces",
				   SERVICE, VARLINK_INTERFACE),
			 false);
}

static void get_interface_description(const struct request *q)
{
	const char *name, *text;

	if (!take_string(q, "interface", &name))
		return;
	if (!name) {
		(void)invalid(q, "interface");
		return;
	}
	text = str_eq(name, VARLINK_INTERFACE) ? interface_description :
	       str_eq(name, SERVICE)           ? service_description :
						 NULL;
	if (text)
		connection_reply(q->connection, json_pack("{s:s}", "description", text), false);
	else
		connection_error(q->connection, SERVICE ".InterfaceNotFound",
				 json_pack("{s:s}", "interface", name));
}

/* --- the table --------------------------------------------------------------------- */

static const struct method {
	const char *name;
	bool changes;
	void (*run)(const struct request *q);
	const char *parameters[4];
} methods[] = {
	{ VARLINK_INTERFACE ".GetStatus", false, get_status, { "names", "fresh", "entries" } },
	{ VARLINK_INTERFACE ".GetPlan", false, get_plan, { NULL } },
	{ VARLINK_INTERFACE ".GetFeatures", false, get_features, { NULL } },
	{ VARLINK_INTERFACE ".GetEvents", false, get_events, { "after", "follow" } },
	{ VARLINK_INTERFACE ".Wait", false, wait_for, { "timeout_s", "generation", "ready" } },
	{ VARLINK_INTERFACE ".Reload", true, reload, { NULL } },
	{ VARLINK_INTERFACE ".Confirm", true, confirm, { "token" } },
	{ VARLINK_INTERFACE ".Suspend", true, suspend, { "seconds" } },
	{ VARLINK_INTERFACE ".Resume", true, resume, { NULL } },
	{ VARLINK_INTERFACE ".Purge", true, purge, { NULL } },
	{ SERVICE ".GetInfo", false, get_info, { NULL } },
	{ SERVICE ".GetInterfaceDescription", false, get_interface_description, { "interface" } },
};

static bool takes(const struct method *method, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(method->parameters) && method->parameters[i]; i++)
		if (str_eq(method->parameters[i], name))
			return true;
	return false;
}

static bool parameters_are_known(const struct request *q, const struct method *method)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)q->call.parameters, name, value)
		if (!takes(method, name))
			return invalid(q, name);
	return true;
}

/* Asked anew for each call: group and process may not be what they were when the connection was made. */
static bool may_change(const struct request *q, const struct method *method)
{
	struct connection *c = q->connection;
	struct error e = { 0 };

	if (!connection_is_control(c)) {
		/* Not logged: anybody may do this as often as they like. */
		(void)error_set(&e, -EPERM, "this socket is for reading only");
	} else {
		if (peer_is_allowed(connection_peer(c), connection_fd(c),
				    manager_control_group(q->manager), &e) == 0)
			return true;
		log_warning("control socket: %s refused: %s", method->name, e.text);
	}
	connection_error(c, SERVICE ".PermissionDenied", json_pack("{s:s?}", "message", e.text));
	return false;
}

static const struct method *method_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (str_eq(methods[i].name, name))
			return &methods[i];
	return NULL;
}

void methods_call(struct manager *m, struct connection *c, const json_t *message)
{
	struct request q = { .manager = m, .connection = c };
	const struct method *method;
	struct error e = { 0 };

	if (varlink_call_parse(message, &q.call, &e) < 0) {
		connection_error(c, VARLINK_INTERFACE ".BadMessage",
				 json_pack("{s:s?}", "message", e.text));
		connection_finish(c);
		return;
	}
	connection_set_oneway(c, q.call.oneway);
	method = method_find(q.call.method);
	if (!method)
		connection_error(c, SERVICE ".MethodNotFound",
				 json_pack("{s:s}", "method", q.call.method));
	else if (parameters_are_known(&q, method) && (!method->changes || may_change(&q, method)))
		method->run(&q);
}

void methods_resume(struct manager *m, struct connection *c, bool timed_out)
{
	switch (connection_pending(c)->kind) {
	case PENDING_PASS:
		if (manager_runs(m) >= connection_pending(c)->run)
			answer_pass(m, c);
		break;
	case PENDING_CONVERGED:
		resume_wait(m, c, timed_out);
		break;
	case PENDING_EVENTS:
		resume_events(m, c);
		break;
	case PENDING_NONE:
		break;
	}
}
