/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* recon/since.h and recon/events.h: what recon remembers of its own past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/str.h"
#include "recon/events.h"
#include "recon/since.h"

/* --- since -------------------------------------------------------------------------------- */

/* A status with one of each thing that has a condition. */
struct world {
	struct status_attachment attachment;
	struct status_program program;
	struct status_object object;
	struct status_target target;
	struct status_share share;
	struct status_set set;
	struct status status;
};

static void world_init(struct world *w)
{
	*w = (struct world){ .attachment = { .interface = "eth0", .selector = "eth*" },
			     .program = { .name = "p", .attachment_count = 1 },
			     .object = { .name = "a", .program_count = 1 },
			     .target = { .path = "/run/s" },
			     .share = { .name = "s", .target_count = 1 },
			     .set = { .name = "uplinks" } };
	w->program.attachments = &w->attachment;
	w->object.programs = &w->program;
	w->share.targets = &w->target;
	w->status = (struct status){ .objects = &w->object,
				     .shares = &w->share,
				     .sets = &w->set,
				     .object_count = 1,
				     .share_count = 1,
				     .set_count = 1 };
}

static void note(void *arg, const char *key, enum state before, const struct condition_status *now)
{
	strbuf_addf(arg, "%s: %s > %s %s\n", key,
		    before < STATE_COUNT ? state_names[before] : "new", state_names[now->state],
		    now->reason ? now->reason : "-");
}

/* What was told of a pass at this second; valid until the next call. */
static const char *update(struct since *s, struct world *w, time_t second, struct strbuf *said)
{
	const struct timespec now = { .tv_sec = second };

	strbuf_done(said);
	since_update(s, &w->status, &now, note, said);
	return strbuf_get(said);
}

static void everything_is_new_once(void **state)
{
	cleanup(strbuf_done) struct strbuf said = { 0 };
	struct since *s = since_new();
	struct world w;

	(void)state;
	world_init(&w);
	assert_string_equal(update(s, &w, 100, &said), "a/p on eth0: new > ready -\n"
						       "interface set uplinks: new > ready -\n"
						       "object a: new > ready -\n"
						       "share s: new > ready -\n"
						       "share s at /run/s: new > ready -\n");
	assert_int_equal(w.object.condition.since.tv_sec, 100);
	assert_int_equal(w.attachment.condition.since.tv_sec, 100);
	assert_int_equal(w.target.condition.since.tv_sec, 100);
	world_init(&w);
	assert_string_equal(update(s, &w, 200, &said), "");
	assert_int_equal(w.object.condition.since.tv_sec, 100);
	assert_int_equal(w.set.condition.since.tv_sec, 100);
	since_free(s);
}

static void a_state_that_changes_dates_from_then(void **state)
{
	cleanup(strbuf_done) struct strbuf said = { 0 };
	struct since *s = since_new();
	struct world w;

	(void)state;
	world_init(&w);
	(void)update(s, &w, 100, &said);
	world_init(&w);
	w.object.condition.state = STATE_FAILED;
	w.object.condition.reason = "VerifierRejected";
	assert_string_equal(update(s, &w, 200, &said),
			    "object a: ready > failed VerifierRejected\n");
	assert_int_equal(w.object.condition.since.tv_sec, 200);
	assert_int_equal(w.share.condition.since.tv_sec, 100);
	world_init(&w);
	assert_string_equal(update(s, &w, 300, &said), "object a: failed > ready -\n");
	assert_int_equal(w.object.condition.since.tv_sec, 300);
	since_free(s);
}

static void another_reason_is_told_but_no_new_date(void **state)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	cleanup(strbuf_done) struct strbuf said = { 0 };
	struct since *s = since_new();
	struct world w;

	(void)state;
	world_init(&w);
	w.share.condition.state = STATE_BLOCKED;
	w.share.condition.reason = arena_strdup(a, "First");
	(void)update(s, &w, 100, &said);
	memset((char *)w.share.condition.reason, 'x', 5); /* the pass and its strings are gone */
	world_init(&w);
	w.share.condition.state = STATE_BLOCKED;
	w.share.condition.reason = "First";
	assert_string_equal(update(s, &w, 200, &said), "");
	w.share.condition.reason = "Second";
	assert_string_equal(update(s, &w, 300, &said), "share s: blocked > blocked Second\n");
	assert_int_equal(w.share.condition.since.tv_sec, 100);
	since_free(s);
}

static void what_goes_and_comes_is_new_again(void **state)
{
	cleanup(strbuf_done) struct strbuf said = { 0 };
	struct since *s = since_new();
	struct world w;

	(void)state;
	world_init(&w);
	(void)update(s, &w, 100, &said);
	w.status.share_count = 0;
	assert_string_equal(update(s, &w, 200, &said), "");
	w.status.share_count = 1;
	assert_string_equal(update(s, &w, 300, &said),
			    "share s: new > ready -\nshare s at /run/s: new > ready -\n");
	assert_int_equal(w.share.condition.since.tv_sec, 300);
	assert_int_equal(w.object.condition.since.tv_sec, 100);
	since_free(s);
}

static void an_empty_status_is_fine(void **state)
{
	cleanup(strbuf_done) struct strbuf said = { 0 };
	struct since *s = since_new();
	struct world w = { 0 };

	(void)state;
	assert_string_equal(update(s, &w, 100, &said), "");
	assert_string_equal(update(s, &w, 200, &said), "");
	since_free(s);
	since_free(NULL);
}

/* --- events -------------------------------------------------------------------------------- */

static void add(struct events *ev, size_t n)
{
	char text[32];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text, sizeof(text), "event %zu", i + 1);
		events_add(ev, "state", "key", i % 2 ? "Reason" : NULL, text);
	}
}

static void without_events_there_is_none(void **state)
{
	struct events *ev = events_new();

	(void)state;
	assert_null(events_next(ev, 0));
	assert_null(events_next(ev, 7));
	events_free(ev);
	events_free(NULL);
}

static void events_come_in_sequence(void **state)
{
	struct events *ev = events_new();
	const struct recon_event *e;
	uint64_t last = 0;

	(void)state;
	add(ev, 3);
	while ((e = events_next(ev, last))) {
		assert_int_equal(e->sequence, last + 1);
		assert_true(e->time.tv_sec > 0);
		last = e->sequence;
	}
	assert_int_equal(last, 3);
	e = events_next(ev, 1);
	assert_string_equal(e->kind, "state");
	assert_string_equal(e->key, "key");
	assert_string_equal(e->reason, "Reason");
	assert_string_equal(e->message, "event 2");
	assert_null(events_next(ev, 0)->reason);
	events_free(ev);
}

static void the_ring_keeps_the_newest(void **state)
{
	struct events *ev = events_new();
	const struct recon_event *e;
	uint64_t last = 0;
	size_t n = 0;

	(void)state;
	add(ev, EVENTS_KEPT);
	assert_int_equal(events_next(ev, 0)->sequence, 1);
	events_add(ev, "state", "key", NULL, "one more");
	assert_int_equal(events_next(ev, 0)->sequence, 2);
	assert_string_equal(events_next(ev, 0)->message, "event 2");
	while ((e = events_next(ev, last))) {
		assert_true(e->sequence > last);
		last = e->sequence;
		n++;
	}
	assert_int_equal(n, EVENTS_KEPT);
	assert_int_equal(last, EVENTS_KEPT + 1);
	assert_string_equal(events_next(ev, last - 1)->message, "one more");
	add(ev, 3 * EVENTS_KEPT);
	assert_int_equal(events_next(ev, last)->sequence, 3 * EVENTS_KEPT + 2);
	events_free(ev);
}

/* The number comes from whoever asks. */
static void numbers_beyond_the_newest_give_none(void **state)
{
	struct events *ev = events_new();

	(void)state;
	add(ev, 3);
	assert_null(events_next(ev, 3));
	assert_null(events_next(ev, 4));
	assert_null(events_next(ev, UINT64_MAX - 1));
	assert_null(events_next(ev, UINT64_MAX));
	events_free(ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_new_once),
		cmocka_unit_test(a_state_that_changes_dates_from_then),
		cmocka_unit_test(another_reason_is_told_but_no_new_date),
		cmocka_unit_test(what_goes_and_comes_is_new_again),
		cmocka_unit_test(an_empty_status_is_fine),
		cmocka_unit_test(without_events_there_is_none),
		cmocka_unit_test(events_come_in_sequence),
		cmocka_unit_test(the_ring_keeps_the_newest),
		cmocka_unit_test(numbers_beyond_the_newest_give_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
