/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Runs a fuzz target once over its corpus, or over the files and directories that are named,
 * without libFuzzer: how `make check` replays what was found, with any compiler. Speaks TAP;
 * fails by crashing, and when there is nothing to run.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/macros.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replay_file(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *data;
	size_t size;

	if (!f || fstat(fileno(f), &st) < 0) {
		perror(path);
		exit(1);
	}
	/* Exactly as long as the file, so that the sanitizer sees a read beyond the end. */
	data = xrealloc(NULL, (size_t)MAX(st.st_size, (off_t)1));
	size = fread(data, 1, (size_t)st.st_size, f);
	(void)fclose(f);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

static size_t replay_directory(const char *path)
{
	struct dirent **entries;
	size_t count = 0;
	int n = scandir(path, &entries, NULL, alphasort);

	if (n < 0) {
		perror(path);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		char *file = xasprintf("%s/%s", path, entries[i]->d_name);

		if (entries[i]->d_name[0] != '.')
			count += replay_file(file);
		free(file);
		free(entries[i]);
	}
	free(entries);
	return count;
}

int main(int argc, char **argv)
{
	const char *source = getenv("abs_top_srcdir");
	char *corpus = xasprintf("%s/tests/fuzz/corpus/" FUZZ_CORPUS, source ? source : ".");
	size_t count = 0;
	struct stat st;

	(void)printf("1..1\n");
	(void)fflush(stdout);
	if (argc == 1)
		count = replay_directory(corpus);
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			count += replay_directory(argv[i]);
		else
			count += replay_file(argv[i]);
	}
	free(corpus);
	(void)printf("%s 1 - %zu inputs of " FUZZ_CORPUS "\n", count > 0 ? "ok" : "not ok", count);
	return count > 0 ? 0 : 1;
}
