/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The kernel for one test: fresh network and mount namespaces, a bpffs of its own, and the Linux back end
 * on it, called only through kern_ops. What a test leaves behind dies with its namespaces.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "kern/linux.h"

extern struct fixture {
	struct arena *a; /* of the present test */
	struct kern_linux *k;
	const char *bpffs_dir;
	/* Another one for each test, and with it another mark: the kernel ends an earlier test's programs late. */
	const char *run_dir;
	unsigned int tests;
	char root[64]; /* a temporary directory */
} fixture;

/* Runs the tests and returns the exit status, or skips all and says why. */
#define FIXTURE_RUN(name, tests)                                                             \
	(fixture_can_be_made() ?                                                             \
		 cmocka_run_group_tests_name(name, tests, fixture_setup, fixture_teardown) : \
		 0)
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_begin, fixture_end)
bool fixture_can_be_made(void);
int fixture_setup(void **state);
int fixture_teardown(void **state);
int fixture_begin(void **state);
int fixture_end(void **state);

void fixture_restart(void); /* another process, which holds nothing of what was there before */
bool fixture_has(const char *feature); /* as the back end probed it */

/* A path below our directory on the bpffs. */
const char *below(const char *fmt, ...) printf_like(1, 2);

/* Runs a command, which must succeed: of iproute2 or coreutils. */
void must_run(const char *fmt, ...) printf_like(1, 2);

/* Operations. */
struct op_result apply(const struct op *op);
struct op_result apply_fine(const struct op *op);
/* words must be in the message; code 0: any, where that depends on the driver. */
struct op_result apply_fails(const struct op *op, int code, const char *reason,
			     enum failure_class class, const char *words);
struct observed observe(void);

/* A declaration of the object in the build directory's bpf/FILE.bpf.o, read but without values. */
struct object_decl *declare(const char *name, const char *file);
/* Sets a global of at most eight bytes. */
void declare_value(struct object_decl *decl, const char *variable, uint64_t value);
/* Loads these programs (NULL-terminated) of all the maps of it. */
struct op load_op(struct object_decl *decl, const char *version, const char *const *programs);
/* Maps of the operation become those of another object; once per operation. */
void load_op_use(struct op *op, const char *map, const char *instance, const char *version,
		 const char *their_map);

/*
 * A member of the test_trace object under this name, version "v", that writes its id into the trace of
 * the first one loaded, and has this verdict for packets of EtherType TEST_ETHERTYPE.
 */
#define TEST_ETHERTYPE 0x88b5
void load_member(const char *name, uint32_t id, uint32_t verdict);
uint32_t program_id(const char *instance); /* of the member's program */
/*
 * The same of test_tc, with its program for each section; by_packet: tc_trace alone, the verdict is in the
 * packet. The id is that of tc_trace.
 */
void load_tc_member(const char *name, uint32_t id, int verdict, bool by_packet);
uint32_t tc_program_id(const char *instance);

/* The ids that saw a packet, in order, as "1 2 3". */
const char *trace_of(uint32_t packet);

/* A chain over members named by instance; NULL: empty slot. proceed_on PASS, required as given. */
struct op chain_op(const char *signature, const char *const *instances, size_t n, bool required);
uint32_t build_chain(const char *signature, const char *const *instances, size_t n);

/* Runs the dispatcher of a chain on a packet of that number; yields the verdict. */
uint32_t run_chain(uint32_t id, uint32_t packet);

/* Interfaces and their roots. */
uint32_t make_veth(const char *name); /* and its peer NAME-p, both up; the index of the first */
void send_packet(const char *interface, uint32_t packet);
/* Waits until the trace has it; fails the test after ten seconds. */
const char *wait_for_trace(uint32_t packet);
struct op root_op(enum op_kind kind, const char *interface, uint32_t ifindex);
const struct observed_interface *look_at(uint32_t ifindex); /* fails the test if there is none */
int load_foreign(void); /* a descriptor of an XDP program that is not ours */
uint32_t id_of_program(int fd);
bool program_lives(uint32_t id);
void wait_for_end_of(uint32_t program_id); /* a pin lets go some time after it was removed */
