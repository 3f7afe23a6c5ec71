/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "unit/config_fixture.h"

#include <string.h>

#include "base/str.h"

struct fragment *parse(struct arena *a, const char *text)
{
	return config_parse(a, "t.yaml", text, strlen(text), NULL);
}

struct desired *declare(struct arena *a, const char *text)
{
	struct fragment *f = parse(a, text);
	struct desired *d = arena_new_of(a, struct desired);

	expect_no_diags(&f->diags);
	assert_true(f->valid);
	config_merge(a, &f, 1, NULL, 0, d);
	assert_true(f->valid);
	return d;
}

const char *format(struct arena *a, const struct diags *d)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	diags_format(d, &b);
	return arena_strdup(a, strbuf_get(&b));
}

void expect_diag(const struct diags *d, const char *part)
{
	NEW_ARENA(a);

	for (size_t i = 0; i < d->list.n; i++)
		if (strstr(d->list.v[i].message, part))
			return;
	fail_msg("no diagnostic has \"%s\" in it:\n%s", part, format(a, d));
}

void expect_no_diags(const struct diags *d)
{
	NEW_ARENA(a);

	assert_string_equal(format(a, d), "");
}
