/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Any bytes as a configuration file and as bpfshared.yaml: either there are errors, all of
 * which can be shown, or what is declared survives its canonical form unchanged.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/utf8.h"
#include "unit/config_equal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(claim)            \
	do {                     \
		if (!(claim))    \
			abort(); \
	} while (0)

/* What a terminal and a JSON document can take. */
static void check_text(const char *s)
{
	for (size_t n = strlen(s); n;) {
		uint32_t c;
		size_t len = utf8_decode(s, n, &c);

		EXPECT(len && (utf8_is_printable(c) || c == '\n'));
		s += len;
		n -= len;
	}
}

static void check_diags(const struct diags *d, bool valid)
{
	struct strbuf text = { 0 };

	EXPECT(valid == (d->errors == 0));
	EXPECT(d->list.n <= LIMIT_DIAGS);
	for (size_t i = 0; i < d->list.n; i++) {
		const struct diag *diag = &d->list.v[i];

		EXPECT(*diag->message && !strchr(diag->message, '\n'));
		EXPECT(!diag->line || (diag->caret <= strlen(diag->line) && *diag->line));
		EXPECT((diag->origin.line == 0) == (diag->origin.column == 0));
	}
	diags_format(d, &text);
	check_text(strbuf_get(&text));
	strbuf_done(&text);
}

/* What parses must parse again from its dump, unless defaults written out made that too large. */
static void check_dump(struct arena *a, struct fragment *f)
{
	struct strbuf once = { 0 }, twice = { 0 };
	struct desired before = { 0 }, after = { 0 };
	struct fragment *again;

	config_merge(a, &f, 1, NULL, 0, &before);
	if (!f->valid)
		return;
	config_judge(a, &before, NULL);
	config_dump(&before, &once);
	again = config_parse(a, "dump", strbuf_get(&once), once.len, NULL);
	if (once.len < LIMIT_FILE_NODES) {
		EXPECT(again->valid);
		config_merge(a, &again, 1, NULL, 0, &after);
		EXPECT(again->valid);
		EXPECT(desired_equal(&before, &after));
		config_dump(&after, &twice);
		EXPECT(strcmp(strbuf_get(&once), strbuf_get(&twice)) == 0);
	}
	strbuf_done(&once);
	strbuf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct fragment *f = config_parse(a, "fuzz", (const char *)data, size, NULL);
	struct settings settings;
	struct diags diags;
	bool valid;

	check_diags(&f->diags, f->valid);
	if (f->valid)
		check_dump(a, f);
	diags_init(&diags, a);
	valid = config_parse_settings(a, "fuzz", (const char *)data, size, &settings, &diags);
	check_diags(&diags, valid);
	arena_free(a);
	return 0;
}
