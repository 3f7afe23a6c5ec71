/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Framing and messages of the control sockets: what strangers may send, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/str.h"
#include "recon/varlink.h"

#define SMALL 64 /* bytes of a message, where the limit matters */

/* --- framing ------------------------------------------------------------------ */

static void add(struct varlink_reader *r, const char *text)
{
	varlink_reader_add(r, text, strlen(text));
}

/* Takes one message and compares its "n". */
static void expect_number(struct varlink_reader *r, int n)
{
	struct error e = { 0 };
	json_t *message = NULL;

	assert_int_equal(varlink_reader_take(r, &message, &e), 1);
	assert_int_equal(json_integer_value(json_object_get(message, "n")), n);
	json_decref(message);
}

static void expect_none(struct varlink_reader *r)
{
	struct error e = { 0 };
	json_t *message = NULL;

	assert_int_equal(varlink_reader_take(r, &message, &e), 0);
	assert_null(message);
}

static void expect_fault(struct varlink_reader *r, int code)
{
	struct error e = { 0 };
	json_t *message = NULL;

	assert_int_equal(varlink_reader_take(r, &message, &e), code);
	assert_int_equal(e.code, code);
	assert_true(strlen(e.text) > 0);
	assert_null(message);
}

static void message_arrives_byte_by_byte(void **state)
{
	static const char text[] = "{\"n\":7}";
	struct varlink_reader r;

	(void)state;
	varlink_reader_init(&r, VARLINK_REQUEST_MAX);
	for (size_t i = 0; i < sizeof(text); i++) {
		expect_none(&r);
		varlink_reader_add(&r, text + i, 1);
	}
	expect_number(&r, 7);
	expect_none(&r);
	varlink_reader_done(&r);
}

static void several_messages_arrive_at_once(void **state)
{
	static const char text[] = "{\"n\":1}\0{\"n\":2}\0 {\"n\" : 3}\n\0{\"n\":";
	struct varlink_reader r;

	(void)state;
	varlink_reader_init(&r, VARLINK_REQUEST_MAX);
	varlink_reader_add(&r, text, sizeof(text) - 1);
	expect_number(&r, 1);
	expect_number(&r, 2);
	expect_number(&r, 3);
	expect_none(&r);
	varlink_reader_add(&r, "4}", 3);
	expect_number(&r, 4);
	varlink_reader_done(&r);
}

/* An object of exactly n bytes. */
static char *object_of(size_t n)
{
	char *text = xcalloc(1, n + 1);

	memset(text, ' ', n);
	memcpy(text, "{\"n\":5", 6);
	text[n - 1] = '}';
	return text;
}

static void message_at_the_limit_is_taken(void **state)
{
	cleanup(freep) char *text = object_of(SMALL);
	struct varlink_reader r;

	(void)state;
	varlink_reader_init(&r, SMALL);
	varlink_reader_add(&r, text, SMALL + 1);
	expect_number(&r, 5);
	varlink_reader_done(&r);
}

static void message_beyond_the_limit_is_refused(void **state)
{
	cleanup(freep) char *text = object_of(SMALL + 1);
	struct varlink_reader r;

	(void)state;
	varlink_reader_init(&r, SMALL);
	varlink_reader_add(&r, text, SMALL + 2);
	expect_fault(&r, -EMSGSIZE);
	varlink_reader_done(&r);
}

static void endless_message_is_refused_at_the_limit(void **state)
{
	struct varlink_reader r;
	size_t taken = 0;
	int code = 0;

	(void)state;
	varlink_reader_init(&r, SMALL);
	while (code == 0 && taken < 10 * SMALL) {
		json_t *message = NULL;

		add(&r, "{");
		taken++;
		code = varlink_reader_take(&r, &message, NULL);
	}
	assert_int_equal(code, -EMSGSIZE);
	assert_int_equal(taken, SMALL + 1);
	varlink_reader_done(&r);
}

static void garbage_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"x",
		"[]",
		"[{}]",
		"\"text\"",
		"17",
		"null",
		"{",
		"{}}",
		"{\"a\":1,}",
		"{\"a\":1 2}",
		"{'a':1}",
		"{\"a\":\"\xff\"}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":\"\\u0000\"}",
		"\x1f\x8b",
		"{\"a\":01}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct varlink_reader r;

		varlink_reader_init(&r, VARLINK_REQUEST_MAX);
		varlink_reader_add(&r, texts[i], strlen(texts[i]) + 1);
		expect_fault(&r, -EBADMSG);
		varlink_reader_done(&r);
	}
}

static void nesting_does_not_exhaust_the_stack(void **state)
{
	cleanup(freep) char *text = xcalloc(1, VARLINK_REQUEST_MAX + 1);
	struct varlink_reader r;

	(void)state;
	memset(text, '[', VARLINK_REQUEST_MAX);
	memcpy(text, "{\"a\":", 5);
	varlink_reader_init(&r, VARLINK_REQUEST_MAX);
	varlink_reader_add(&r, text, VARLINK_REQUEST_MAX + 1);
	expect_fault(&r, -EBADMSG);
	varlink_reader_done(&r);
}

/* Bytes that look like messages more often than chance: all outcomes are fine but a crash or growth. */
static void random_bytes_stay_bounded(void **state)
{
	static const char alphabet[] = "{}[]\":,0123e-+.truefalsn\\u \n\xc3\x28";
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct varlink_reader r;
		json_t *message = NULL;
		int code = 0;

		varlink_reader_init(&r, SMALL);
		for (int i = 0; i < 200 && code >= 0; i++) {
			char c;

			seed = seed * 1664525 + 1013904223;
			c = seed >> 24 < 4 ? '\0' : alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
			varlink_reader_add(&r, &c, 1);
			code = varlink_reader_take(&r, &message, NULL);
			assert_true(r.len <= SMALL + 1);
			json_decref(take_ptr(message));
		}
		varlink_reader_done(&r);
	}
}

/* --- messages ----------------------------------------------------------------- */

static void calls_are_parsed(void **state)
{
	json_t *message = json_pack("{s:s,s:{s:i},s:b,s:b}", "method", "io.bpfshare.Wait",
				    "parameters", "timeout_s", 5, "more", true, "oneway", false);
	struct varlink_call call;

	(void)state;
	assert_int_equal(varlink_call_parse(message, &call, NULL), 0);
	assert_string_equal(call.method, "io.bpfshare.Wait");
	assert_int_equal(json_integer_value(json_object_get(call.parameters, "timeout_s")), 5);
	assert_true(call.more);
	assert_false(call.oneway);
	json_decref(message);
}

static void call_without_parameters_is_fine(void **state)
{
	static const char *const texts[] = { "{\"method\":\"a.B\"}",
					     "{\"method\":\"a.B\",\"parameters\":null}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *message = json_loads(texts[i], 0, NULL);
		struct varlink_call call;

		assert_int_equal(varlink_call_parse(message, &call, NULL), 0);
		assert_null(call.parameters);
		assert_false(call.more);
		json_decref(message);
	}
}

static void wrong_calls_are_refused(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"method\":7}",
		"{\"method\":null}",
		"{\"method\":\"a.B\",\"parameters\":[]}",
		"{\"method\":\"a.B\",\"parameters\":\"x\"}",
		"{\"method\":\"a.B\",\"more\":1}",
		"{\"method\":\"a.B\",\"oneway\":\"yes\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *message = json_loads(texts[i], 0, NULL);
		struct error e = { 0 };
		struct varlink_call call;

		assert_int_equal(varlink_call_parse(message, &call, &e), -EINVAL);
		assert_true(strlen(e.text) > 0);
		json_decref(message);
	}
}

static void assert_encoded(json_t *message, const char *text)
{
	cleanup(freep) char *encoded = NULL;
	size_t size;

	encoded = varlink_encode(message, &size);
	assert_int_equal(size, strlen(text) + 1);
	assert_memory_equal(encoded, text, size);
	json_decref(message);
}

static void replies_are_encoded(void **state)
{
	(void)state;
	assert_encoded(varlink_reply_new(NULL, false), "{\"parameters\":{}}");
	assert_encoded(varlink_reply_new(json_pack("{s:i}", "n", 1), true),
		       "{\"parameters\":{\"n\":1},\"continues\":true}");
	assert_encoded(varlink_error_new("a.B", NULL), "{\"error\":\"a.B\",\"parameters\":{}}");
}

/* --- addresses and the client ---------------------------------------------------- */

struct place {
	char dir[128];
	char *path; /* of a socket in it */
};

static int place_new(void **state)
{
	struct place *p = xnew(struct place);

	(void)strcpy(p->dir, "/tmp/test_varlink.XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	p->path = xasprintf("%s/sock", p->dir);
	*state = p;
	return 0;
}

static int place_free(void **state)
{
	struct place *p = *state;

	(void)unlink(p->path);
	(void)rmdir(p->dir);
	free(p->path);
	free(p);
	return 0;
}

static int listen_at(const char *path)
{
	cleanup(closep) int dir = -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	assert_int_equal(varlink_address(path, &address, &dir, NULL), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void nobody_listens(void **state)
{
	const struct place *p = *state;
	struct varlink_client *c = NULL;
	struct error e = { 0 };

	assert_int_equal(varlink_client_open(p->path, &c, &e), -ENOENT);
	assert_non_null(strstr(e.text, p->path));
	(void)close(listen_at(p->path));
	assert_int_equal(varlink_client_open(p->path, &c, &e), -ECONNREFUSED);
	assert_null(c);
}

static void long_paths_work(void **state)
{
	const struct place *p = *state;
	cleanup(freep) char *dir = xasprintf("%s/%0100d", p->dir, 1);
	cleanup(freep) char *path = xasprintf("%s/sock", dir);
	cleanup(closep) int fd = -1;
	struct varlink_client *c = NULL;

	assert_int_equal(mkdir(dir, 0700), 0);
	assert_true(strlen(path) > 108);
	fd = listen_at(path);
	assert_int_equal(varlink_client_open(path, &c, NULL), 0);
	varlink_client_free(c);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* Accepts one client in a process of its own, reads its request and sends these bytes. */
static pid_t serve(int listener, const char *bytes, size_t size, bool hang_up)
{
	char request[256];
	pid_t pid = fork();
	int fd;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	fd = accept(listener, NULL, NULL);
	(void)!read(fd, request, sizeof(request));
	if (size)
		(void)!write(fd, bytes, size);
	if (!hang_up)
		(void)!read(fd, request, sizeof(request)); /* until the client goes */
	_exit(0);
}

/* What the client makes of an answer of these bytes. */
static int receive(const struct place *p, const char *bytes, size_t size, bool hang_up,
		   struct varlink_answer *ret)
{
	cleanup(closep) int listener = listen_at(p->path);
	pid_t pid = serve(listener, bytes, size, hang_up);
	struct varlink_client *c = NULL;
	struct error e = { 0 };
	int status, r;

	assert_int_equal(varlink_client_open(p->path, &c, &e), 0);
	assert_int_equal(varlink_client_call(c, "a.B", NULL, false, &e), 0);
	r = varlink_client_receive(c, hang_up || size ? -1 : 1, ret, &e);
	assert_int_equal(r, e.code);
	varlink_client_free(c);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(unlink(p->path), 0);
	return r;
}

static void answers_are_received(void **state)
{
	static const char reply[] = "{\"parameters\":{\"n\":3},\"continues\":true}";
	static const char error[] = "{\"error\":\"a.Bad\",\"parameters\":{\"message\":\"why\"}}";
	struct varlink_answer a;

	assert_int_equal(receive(*state, reply, sizeof(reply), false, &a), 0);
	assert_int_equal(json_integer_value(json_object_get(a.parameters, "n")), 3);
	assert_true(a.continues);
	assert_string_equal(a.error, "");
	varlink_answer_done(&a);
	assert_int_equal(receive(*state, error, sizeof(error), false, &a), 0);
	assert_string_equal(a.error, "a.Bad");
	assert_false(a.continues);
	varlink_answer_done(&a);
}

static void answer_without_parameters_has_an_object(void **state)
{
	struct varlink_answer a;

	assert_int_equal(receive(*state, "{}", 3, false, &a), 0);
	assert_true(json_is_object(a.parameters));
	varlink_answer_done(&a);
}

static void silence_times_out(void **state)
{
	struct varlink_answer a;

	assert_int_equal(receive(*state, "", 0, false, &a), -ETIMEDOUT);
}

static void hanging_up_is_told(void **state)
{
	struct varlink_answer a;

	assert_int_equal(receive(*state, "", 0, true, &a), -ECONNRESET);
	assert_int_equal(receive(*state, "{\"par", 5, true, &a), -ECONNRESET);
}

static void wrong_answers_are_told(void **state)
{
	struct varlink_answer a;

	assert_int_equal(receive(*state, "HTTP/1.0", 9, false, &a), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_arrives_byte_by_byte),
		cmocka_unit_test(several_messages_arrive_at_once),
		cmocka_unit_test(message_at_the_limit_is_taken),
		cmocka_unit_test(message_beyond_the_limit_is_refused),
		cmocka_unit_test(endless_message_is_refused_at_the_limit),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(nesting_does_not_exhaust_the_stack),
		cmocka_unit_test(random_bytes_stay_bounded),
		cmocka_unit_test(calls_are_parsed),
		cmocka_unit_test(call_without_parameters_is_fine),
		cmocka_unit_test(wrong_calls_are_refused),
		cmocka_unit_test(replies_are_encoded),
		cmocka_unit_test_setup_teardown(nobody_listens, place_new, place_free),
		cmocka_unit_test_setup_teardown(long_paths_work, place_new, place_free),
		cmocka_unit_test_setup_teardown(answers_are_received, place_new, place_free),
		cmocka_unit_test_setup_teardown(answer_without_parameters_has_an_object, place_new,
						place_free),
		cmocka_unit_test_setup_teardown(silence_times_out, place_new, place_free),
		cmocka_unit_test_setup_teardown(hanging_up_is_told, place_new, place_free),
		cmocka_unit_test_setup_teardown(wrong_answers_are_told, place_new, place_free),
	};

	return cmocka_run_group_tests_name("varlink", tests, NULL, NULL);
}
