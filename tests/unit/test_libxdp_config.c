/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "kern/libxdp.h"

/* A dispatcher's map as bytes, and how many of them. */
struct bytes {
	unsigned char b[256];
	size_t n;
};

static void put(struct bytes *bytes, size_t offset, uint32_t value)
{
	memcpy(bytes->b + offset, &value, sizeof(value));
}

/* Three programs of version 2 or 3, written down by the table of offsets and not by the structure. */
static struct bytes three(uint8_t version)
{
	struct bytes bytes = { .b = { 236, version, 3, 0 }, .n = version == 2 ? 124 : 128 };

	for (size_t i = 0; i < 3; i++) {
		put(&bytes, 4 + 4 * i, 0x80000004u);
		put(&bytes, 44 + 4 * i, (uint32_t)(10 * (i + 1)));
	}
	return bytes;
}

static const char *read_bytes(const struct bytes *bytes, struct libxdp_config *ret)
{
	return libxdp_config_read(bytes->b, bytes->n, ret);
}

static void assert_fault(const struct bytes *bytes, const char *words, uint32_t version)
{
	struct libxdp_config config;
	const char *fault = read_bytes(bytes, &config);

	if (!fault || !strstr(fault, words))
		fail_msg("'%s' not in '%s'", words, fault ? fault : "(no fault)");
	assert_int_equal(config.version, version);
	assert_int_equal(config.slot_count, 0);
}

static void a_chain_is_read(void **state)
{
	struct libxdp_config config;
	struct bytes bytes;

	(void)state;
	for (uint8_t version = 2; version <= 3; version++) {
		bytes = three(version);
		put(&bytes, 84 + 4, 1u << 5);
		assert_null(read_bytes(&bytes, &config));
		assert_int_equal(config.version, version);
		assert_int_equal(config.slot_count, 3);
		assert_false(config.frags || config.devbound);
		assert_int_equal(config.tag, 0);
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(config.slots[i].actions, 4);
			assert_int_equal(config.slots[i].priority, 10 * (i + 1));
			assert_int_equal(config.slots[i].flags, i == 1 ? 1u << 5 : 0);
			assert_false(config.slots[i].required);
		}
	}
}

static void flags_of_the_whole_are_read(void **state)
{
	struct bytes bytes = three(3);
	struct libxdp_config config;

	(void)state;
	bytes.b[3] = 1;
	bytes.b[124] = 1;
	assert_null(read_bytes(&bytes, &config));
	assert_true(config.frags && config.devbound);
	bytes.b[1] = 2; /* version 2 has no such byte, even if its map were larger */
	assert_null(read_bytes(&bytes, &config));
	assert_false(config.devbound);
}

static void what_is_no_dispatcher_is_told(void **state)
{
	struct bytes bytes = three(2);

	(void)state;
	bytes.b[0] = 0;
	assert_fault(&bytes, "none that a dispatcher", 0);
	bytes.n = 84;
	assert_fault(&bytes, "version 1", 1);
	bytes.n = 1;
	assert_fault(&bytes, "none that a dispatcher", 0);
	bytes.n = 0;
	assert_fault(&bytes, "none that a dispatcher", 0);
}

static void no_map_is_no_dispatcher(void **state)
{
	struct libxdp_config config;

	(void)state;
	assert_non_null(libxdp_config_read(NULL, 0, &config));
	assert_int_equal(config.version, 0);
}

static void other_versions_are_told(void **state)
{
	struct bytes bytes = three(3);

	(void)state;
	bytes.b[1] = 4;
	assert_fault(&bytes, "does not know", 4);
	bytes.b[1] = 0;
	assert_fault(&bytes, "does not know", 0);
	bytes.b[1] = 1;
	assert_fault(&bytes, "does not know", 1);
}

static void sizes_and_counts_are_checked(void **state)
{
	struct bytes bytes = three(3);

	(void)state;
	bytes.n = 127;
	assert_fault(&bytes, "too small", 3);
	bytes = three(2);
	bytes.n = 123;
	assert_fault(&bytes, "too small", 2);
	bytes.n = 2;
	assert_fault(&bytes, "too small", 2);
	bytes = three(2);
	bytes.b[2] = 0;
	assert_fault(&bytes, "number of programs", 2);
	bytes.b[2] = 11;
	assert_fault(&bytes, "number of programs", 2);
	bytes.b[2] = 255;
	assert_fault(&bytes, "number of programs", 2);
}

/* A map larger than the structure is what libxdp takes as well. */
static void the_tenth_slot_and_a_larger_map_are_read(void **state)
{
	struct bytes bytes = three(2);
	struct libxdp_config config;

	(void)state;
	bytes.b[2] = 10;
	bytes.n = 200;
	put(&bytes, 44 + 36, 99);
	assert_null(read_bytes(&bytes, &config));
	assert_int_equal(config.slot_count, 10);
	assert_int_equal(config.slots[9].priority, 99);
}

static struct libxdp_config ours(uint32_t version, size_t count)
{
	struct libxdp_config config = {
		.version = version, .tag = 0xa1b2c3d4, .slot_count = count, .frags = true
	};

	for (size_t i = 0; i < count; i++)
		config.slots[i] = (struct libxdp_slot){ .actions = (uint32_t)i,
							.priority = (uint32_t)(100 + i),
							.flags = 1u << 5,
							.required = i % 2 == 1 };
	return config;
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	for (uint32_t version = 2; version <= 3; version++)
		for (size_t count = 1; count <= LIBXDP_SLOT_COUNT; count++) {
			const struct libxdp_config config = ours(version, count);
			struct libxdp_config_3 bytes;
			struct libxdp_config back;
			size_t size = libxdp_config_write(&config, &bytes);

			assert_int_equal(size, version == 2 ? 124 : 128);
			assert_null(libxdp_config_read(&bytes, size, &back));
			assert_int_equal(back.version, version);
			assert_int_equal(back.tag, 0xa1b2c3d4);
			assert_true(back.frags);
			assert_int_equal(back.slot_count, count);
			assert_memory_equal(back.slots, config.slots,
					    count * sizeof(*config.slots));
		}
}

/* What readers of the protocol look at has nothing of our marks in it. */
static void bytes_are_where_the_protocol_has_them(void **state)
{
	const struct libxdp_config config = ours(3, 10);
	struct libxdp_config_3 bytes;
	unsigned char b[128];
	uint32_t word;

	(void)state;
	assert_int_equal(libxdp_config_write(&config, &bytes), sizeof(b));
	memcpy(b, &bytes, sizeof(b));
	assert_int_equal(b[0], 236);
	assert_int_equal(b[1], 3);
	assert_int_equal(b[2], 10);
	assert_int_equal(b[3], 1);
	assert_int_equal(b[124], 0);
	for (size_t i = 0; i < 10; i++) {
		memcpy(&word, b + 4 + 4 * i, 4);
		assert_int_equal(word, 0x80000000u | i);
		memcpy(&word, b + 44 + 4 * i, 4);
		assert_int_equal(word, 100 + i);
		memcpy(&word, b + 84 + 4 * i, 4);
		assert_int_equal(word & 0x7f, 1u << 5); /* frags, not bound to a device */
	}
}

static void the_version_of_the_host_is_found(void **state)
{
	const char *build = getenv("abs_top_builddir");
	char root[] = "/tmp/bpfshare-libxdp.XXXXXX";
	const char *directories[] = { "/nonexistent", root, NULL };

	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(libxdp_host_version(directories), 0);
	for (uint32_t version = 2; version <= 3; version++) {
		cleanup(freep) char *from = xasprintf("%s/bpf/libxdp_dispatcher_%u.bpf.o",
						      build ? build : ".", version);
		cleanup(freep) char *to = xasprintf("%s/xdp-dispatcher.o", root);

		assert_int_equal(symlink(from, to), 0);
		assert_int_equal(libxdp_host_version(directories), version);
		assert_int_equal(unlink(to), 0);
	}
	assert_int_equal(rmdir(root), 0);
}

/* A file of that name without the version is no answer, and neither is one that is no ELF file. */
static void what_names_no_version_is_passed_over(void **state)
{
	const char *build = getenv("abs_top_builddir");
	char root[] = "/tmp/bpfshare-libxdp.XXXXXX";
	const char *directories[] = { root, NULL };
	const char *const others[] = { "bpf/test_trace.bpf.o", "Makefile" };

	(void)state;
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		cleanup(freep) char *from = xasprintf("%s/%s", build ? build : ".", others[i]);
		cleanup(freep) char *to = xasprintf("%s/xdp-dispatcher.o", root);

		assert_int_equal(symlink(from, to), 0);
		assert_int_equal(libxdp_host_version(directories), 0);
		assert_int_equal(unlink(to), 0);
	}
	assert_int_equal(rmdir(root), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_is_read),
		cmocka_unit_test(flags_of_the_whole_are_read),
		cmocka_unit_test(what_is_no_dispatcher_is_told),
		cmocka_unit_test(no_map_is_no_dispatcher),
		cmocka_unit_test(other_versions_are_told),
		cmocka_unit_test(sizes_and_counts_are_checked),
		cmocka_unit_test(the_tenth_slot_and_a_larger_map_are_read),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(bytes_are_where_the_protocol_has_them),
		cmocka_unit_test(the_version_of_the_host_is_found),
		cmocka_unit_test(what_names_no_version_is_passed_over),
	};

	return cmocka_run_group_tests_name("libxdp_config", tests, NULL, NULL);
}
